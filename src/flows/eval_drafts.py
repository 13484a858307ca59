"""A turn as a case: the conversation up to it, the state it began in, and what should come of it.

Written in the format of a suite (evals/README.md), with personal data replaced by stand-ins. What should come of it
is a proposal made from what people did: they read and change it before the case enters a suite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from domain.personal_data.stand_ins import StandIns
from store.database import Row

_PHONE: Final = re.compile(r"(?:phone|simulator):\+?(\d{10,15})$")
_AUTHORS: Final = {"contact": "customer", "bot": "agent", "operator": "operator", "phone": "operator"}
_SENTENCE: Final = re.compile(r"[^.!?\n…]+(?:[.!?…]+(?=\s|$)|[.](?=\S)[^.!?\n…]*)*")
_FACT: Final = re.compile(
    r"https?://[^\s)>\]]+|\b(?=[A-Z]*\d)[A-Z][A-Z0-9]{3,}\b|(?:R\$|US\$|\$|€)\s?\d[\d.,]*\d|\b[A-Z]{2}\d{6,}[A-Z]{0,2}\b|\b\d+(?:[.,/:h\-]\d+)+\b|\b\d{2,}\b"
)
_INTRODUCTION: Final = re.compile(
    r"assistente virtual|asistente virtual|virtual assistant|prefer\w+ (?:falar com )?uma pessoa|"
    r"prefieres? (?:hablar con )?una persona|rather talk to a person",
    re.IGNORECASE,
)
_MOST_PARTS: Final = 6
_LEAST_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything about a turn that its case is made from: rows of ``store.eval_sources``."""

    turn: Row
    history: Sequence[Row]
    asked: Sequence[Row]
    earlier: Sequence[Row]
    suggestion: Row | None
    people: Sequence[str]
    staff: Sequence[str]
    """Names of those who work for the tenant."""

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Business functions that were called in this window up to and in this turn, with their results."""
        found: list[dict[str, Any]] = []
        for row in self.earlier:
            found += row["tool_calls"] or ()
        return found + list(self.turn["trace"].get("tool_calls", ()))

    @property
    def operator_text(self) -> str:
        """What people sent instead of, or after, what the agent decided; "" where they sent nothing of their own."""
        if self.suggestion is not None and self.suggestion["status"] in {"approved", "edited"}:
            return str(self.suggestion["final_text"] or "")
        return "\n".join(self.people)


@dataclass(frozen=True, slots=True)
class Draft:
    """A case, what happened then, and how many values of each kind were replaced."""

    case: dict[str, Any]
    happened: dict[str, Any]
    replaced: dict[str, int] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What was said to be wrong, without the names in it."""
        return str(self.case.get("title", ""))

    @property
    def content(self) -> dict[str, Any]:
        """As it is stored."""
        return {"case": self.case, "happened": self.happened}


def learned(seen: Seen, key: bytes) -> StandIns:
    """Stand-ins for all that the conversation tells of persons."""
    turn = seen.turn
    people = [turn["contact_name"] or "", turn["push_name"] or "", *seen.staff]
    stand_ins = StandIns(key, [name for name in people if name], keep=[turn["tenant_name"]])
    for address in turn["addresses"] or ():
        if found := _PHONE.match(address):
            stand_ins.learn(f"telefone: +{found[1]}")
    texts = [row["text"] for row in (*seen.history, *seen.asked)]
    texts += [str(turn["decision"].get(name) or "") for name in ("text", "summary")]
    texts += [seen.operator_text, *seen.people]
    if seen.suggestion is not None:
        texts += [seen.suggestion["text"], seen.suggestion["reject_reason"] or ""]
    for text in texts:
        stand_ins.learn(text)
    stand_ins.learn_json(seen.calls)
    stand_ins.learn_json([dict(row["dialogue"]) for row in seen.earlier])
    stand_ins.learn_json(turn["decision"].get("arguments") or {})
    return stand_ins


def drafted(seen: Seen, stand_ins: StandIns, records: Iterable[Row], *, origin: str, note: str = "") -> Draft:
    """The case of a turn. ``records``: the tenant's own that ``stand_ins.originals`` find; learn them first."""
    turn = seen.turn
    happened = _happened(seen, stand_ins)
    case: dict[str, Any] = {"name": f"{origin.replace('_', '-')}-{str(turn['id'])[:8]}"}
    if note:
        case["title"] = stand_ins.replace(note)
    if turn["language"]:
        case["language"] = turn["language"]
    case["tags"] = ["from-work", origin.replace("_", "-")]
    case["given"] = _given(seen, stand_ins, records)
    case["say"] = [_said(row, stand_ins) for row in seen.asked]
    case["expect"] = expected(happened, origin)
    return Draft(case, happened, dict(stand_ins.replaced))


def _given(seen: Seen, stand_ins: StandIns, records: Iterable[Row]) -> dict[str, Any]:
    turn, zone = seen.turn, ZoneInfo(seen.turn["timezone"])
    now: datetime = turn["created_at"].astimezone(zone).replace(microsecond=0)
    name = turn["contact_name"] or turn["push_name"]
    contact: dict[str, Any] = {"name": stand_ins.replace(name) if name else "Cliente"}
    phone = next((found[1] for found in map(_PHONE.match, turn["addresses"] or ()) if found), None)
    if phone:
        contact["phone"] = re.sub(r"\D", "", stand_ins.replace(f"+{phone}"))
    if seen.earlier and seen.earlier[-1]["language"]:
        contact["language"] = seen.earlier[-1]["language"]
    if turn["tags"]:
        contact["tags"] = list(turn["tags"])
    given: dict[str, Any] = {"now": now.isoformat(), "contact": contact}
    if turn["number_key"]:
        given["number"] = turn["number_key"]
    if seen.history:
        given["messages"] = [_earlier(row, turn["created_at"], stand_ins) for row in seen.history]
    dialogue = stand_ins.replace_json(seen.earlier[-1]["dialogue"]) if seen.earlier else {}
    if dialogue:
        given["dialogue"] = dialogue
    if any("disclosure" in (row["notices"] or ()) for row in seen.history):
        given["introduced"] = True
    kept: dict[str, dict[str, Any]] = {}
    for row in records:
        kept.setdefault(row["collection"], {})[stand_ins.replace(row["key"])] = stand_ins.replace_json(row["value"])
    if kept:
        given["records"] = kept
    return given


def _earlier(row: Row, now: datetime, stand_ins: StandIns) -> dict[str, Any]:
    ago = max(1, round((now - row["sent_at"]).total_seconds()))
    said = {"from": _AUTHORS[row["author"]], "text": stand_ins.replace(row["text"]), "ago": f"{ago}s"}
    return said if row["kind"] == "text" else {**said, "kind": row["kind"]}


def _said(row: Row, stand_ins: StandIns) -> Any:
    text = stand_ins.replace(row["text"])
    if row["kind"] == "text" and not row["forwarded"]:
        return text
    said: dict[str, Any] = {"text": text, "kind": row["kind"]}
    return {**said, "forwarded": True} if row["forwarded"] else said


def _happened(seen: Seen, stand_ins: StandIns) -> dict[str, Any]:
    turn, decision = seen.turn, seen.turn["decision"]
    calls = [
        {name: call.get(name) for name in ("function", "arguments", "outcome", "result")}
        for call in turn["trace"].get("tool_calls", ())
    ]
    suggestion = seen.suggestion
    return {
        "decision": decision.get("kind", "none"),
        "reason": decision.get("reason"),
        "intent": turn["intent"],
        "confidence": turn["confidence"],
        "text": stand_ins.replace(decision.get("text") or ""),
        "function": decision.get("function"),
        "arguments": stand_ins.replace_json(decision.get("arguments") or {}),
        "calls": stand_ins.replace_json(calls),
        "at": turn["created_at"].isoformat(),
        "prompt_bundle": turn["prompt_bundle"],
        "model": turn["model"],
        "cost_micros": turn["cost_micros"],
        "latency_ms": turn["latency_ms"],
        "suggestion": suggestion["status"] if suggestion is not None else None,
        "reject_reason": stand_ins.replace(suggestion["reject_reason"] or "") if suggestion is not None else "",
        "operator_text": stand_ins.replace(seen.operator_text),
    }


def expected(happened: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """What should come of it, as far as what people did tells it.

    ``approved`` and ``automatic``: as it was. Otherwise the agent must not say again what a person took away, and must
    say the figures, dates and links that a person added.
    """
    agent, operator = str(happened["text"]), str(happened["operator_text"])
    if origin in {"approved", "automatic"}:
        return _as_it_was(happened)
    wanted: dict[str, Any] = {}
    if origin == "edited" and happened["intent"]:
        wanted["intent"] = happened["intent"]
    if operator or happened["decision"] in {"hand_off", "stay_silent", "none"}:
        wanted["decision"] = ["reply", "suggest"]
    if added := [fact for fact in facts(operator) if fact not in agent]:
        wanted["contains"] = added[:_MOST_PARTS]
    if removed := [one for one in sentences(agent) if not _holds(operator, one)]:
        wanted["lacks"] = removed[:_MOST_PARTS]
    elif origin != "edited" and happened["decision"] in {"reply", "suggest"} and agent and not operator:
        wanted["lacks"] = [agent]
    elif not added and (new := [one for one in sentences(operator) if not _holds(agent, one)]):
        wanted["contains"] = new[:1]
    return wanted or {"decision": happened["decision"]}


def _as_it_was(happened: Mapping[str, Any]) -> dict[str, Any]:
    kind = happened["decision"]
    wanted: dict[str, Any] = {"decision": ["reply", "suggest"] if kind in {"reply", "suggest"} else kind}
    if happened["intent"]:
        wanted["intent"] = happened["intent"]
    if kind == "hand_off" and happened["reason"]:
        wanted["handoff_reason"] = happened["reason"]
    names = [call["function"] for call in happened["calls"] if call["outcome"] != "awaiting_approval"]
    if kind == "ask_approval" and happened["function"]:
        names.append(happened["function"])
    if names:
        wanted["calls"] = {"includes": list(dict.fromkeys(names))}
    said = happened["operator_text"] if happened["suggestion"] == "approved" else happened["text"]
    if kind in {"reply", "suggest"} and (known := facts(str(said))):
        wanted["contains"] = known[:_MOST_PARTS]
    return wanted


def facts(text: str) -> list[str]:
    """Figures, amounts, dates, codes and links of a text, each once, in order."""
    return list(dict.fromkeys(match[0].rstrip(".,;:") for match in _FACT.finditer(text)))


def sentences(text: str) -> list[str]:
    """Sentences that say something: not a greeting, not the introduction of the assistant."""
    found = (match[0].strip() for match in _SENTENCE.finditer(text))
    return [one for one in found if len(one.split()) >= _LEAST_WORDS and not _INTRODUCTION.search(one)]


def _holds(text: str, part: str) -> bool:
    return " ".join(part.casefold().split()) in " ".join(text.casefold().split())
