"""A turn's explanation (flows.traces) as lines for a person at a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

_LABEL_WIDTH = 13
_LONGEST_VALUE = 2_000


def lines_of(explanation: Mapping[str, Any]) -> Iterator[str]:
    """The lines, in the order in which things happened."""
    turn, decision, model = explanation["turn"], explanation["decision"], explanation["model"]
    yield _line("turn", f"{turn['id']} ({turn['status']}, attempt {turn['attempt']})")
    yield _line(
        "conversation", f"{turn['conversation_id']} with {turn['contact']} on {turn['number']} ({turn['tenant']})"
    )
    for message in explanation["received"]:
        state = " (deleted)" if message["revoked"] else " (edited)" if message["edited"] else ""
        yield _line("received", f"{_time(message['received_at'])} #{message['id']} {_quoted(message)}{state}")
    yield from _understood(explanation["understood"])
    for call in explanation["tool_calls"]:
        yield _line(
            "call", f"{call['function']}({_json(call['arguments'])}) {call['outcome']} in {call['duration_ms']:.0f} ms"
        )
        yield _line("", f"→ {_json(call['result'])}")
    for call in model["calls"]:
        tokens = f"{call['input_tokens']} + {call['output_tokens']} tokens"
        yield _line("model call", f"{call['model']}: {call['finish_reason']}, {tokens}, {call['duration_ms']:.0f} ms")
    named = "".join(f" ({key} {decision[key]})" for key in ("reason", "function") if decision.get(key))
    yield _line("decision", f"{decision.get('kind', '-')}{named} at {_time(turn['at'])}")
    for reason in decision.get("reasons", ()):
        yield _line("  because", f"{reason['code']}{': ' if reason['detail'] else ''}{reason['detail']}")
    for source in decision.get("sources", ()):
        score = f" ({source['score']:.2f})" if source.get("score") is not None else ""
        yield _line("source", f"{source['kind']} {source['ref']} {source['title']}{score}".rstrip())
    for claim in explanation.get("claims", ()):
        yield _line("claim", f"{claim['kind']} {claim['text']!r}: {claim['supported_by'] or 'UNSUPPORTED'}")
    if decision.get("text"):
        yield _line("text", repr(decision["text"]))
    if decision.get("summary"):
        yield _line("summary", repr(decision["summary"]))
    yield from _people(explanation)
    for sent in explanation["sent"]:
        yield from _sent(sent)
    yield from _figures(explanation)


def _understood(understood: Mapping[str, Any]) -> Iterator[str]:
    confidence = understood["confidence"]
    certain = f"{confidence:.2f}" if confidence is not None else "-"
    yield _line(
        "intent", f"{understood['intent'] or '-'} with confidence {certain}, language {understood['language'] or '-'}"
    )
    others = [f"{other['intent']} {other['probability']:.2f}" for other in understood["alternatives"]]
    if others:
        yield _line("rather than", ", ".join(others))


def _people(explanation: Mapping[str, Any]) -> Iterator[str]:
    """Who decided what, and when."""
    for suggestion in explanation["suggestions"]:
        yield _line("suggestion", f"{suggestion['status']}{_who(suggestion, 'decided_at')}")
        if suggestion["status"] == "edited":
            yield _line("", f"{suggestion['text']!r} → {suggestion['final_text']!r}")
        if suggestion["reject_reason"]:
            said = ": ".join(filter(None, (suggestion["reject_reason"], suggestion["reject_note"])))
            yield _line("", f"because: {said}")
    for approval in explanation["approvals"]:
        arguments = _json(approval["arguments"])
        yield _line(
            "approval", f"{approval['function']}({arguments}) {approval['status']}{_who(approval, 'decided_at')}"
        )
    for write in explanation["writes"]:
        yield _line(
            "write",
            f"{write['function']}({_json(write['arguments'])}) {write['status']} at {_time(write['started_at'])}",
        )
        yield _line("", f"→ {_json(write['result'])}{' ' + write['error_code'] if write['error_code'] else ''}")
    for handoff in explanation["handoffs"]:
        claimed = f", claimed{_who(handoff, 'claimed_at')}" if handoff["claimed_at"] else ", not claimed yet"
        announced = "" if handoff["announced"] else ", announcement kept back by the policy"
        yield _line("handoff", f"{handoff['reason']}{claimed}{announced}")
        if handoff["collected"]:
            yield _line("", f"collected {_json(handoff['collected'])}")
        if handoff["next_step"]:
            yield _line("", f"next step {handoff['next_step']!r}")


def _sent(sent: Mapping[str, Any]) -> Iterator[str]:
    who = f"by {sent['by']}" if sent["by"] else f"by the {sent['author']}"
    state = (
        sent["ack"] if sent["state"] == "sent" and sent["ack"] not in {None, "server"} else sent["state"] or "unknown"
    )
    at = f" at {_time(sent['sent_at'])}" if sent["sent_at"] else ""
    attempts = f", {sent['attempts']} attempts" if (sent["attempts"] or 0) > 1 else ""
    yield _line(
        "message", f"#{sent['message_id']} {who}: {state}{at}{attempts}{': ' + sent['error'] if sent['error'] else ''}"
    )
    yield _line("", repr(sent["text"]))


def _figures(explanation: Mapping[str, Any]) -> Iterator[str]:
    model, timings = explanation["model"], explanation["timings"]
    stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in timings["stages_ms"].items())
    waited = f", after waiting {timings['waited_ms']:.0f} ms" if timings["waited_ms"] is not None else ""
    yield _line("latency", f"{timings['total_ms']:.0f} ms{f' ({stages})' if stages else ''}{waited}")
    tokens = f"{model['input_tokens']} tokens in, {model['output_tokens']} out"
    masked = ", personal data hidden from it" if model["masked"] else ""
    yield _line("cost", f"{model['cost_micros'] / 1e6:.6f}, {tokens}, model {model['name'] or 'none'}{masked}")
    yield _line("prompts", model["prompt_bundle"] or "-")


def _line(label: str, words: str) -> str:
    return f"{label:<{_LABEL_WIDTH}} {words}".rstrip()


def _quoted(message: Mapping[str, Any]) -> str:
    return repr(message["text"]) if message["text"] else f"[{message['kind']}]"


def _who(row: Mapping[str, Any], at: str) -> str:
    by = f" by {row['by']}" if row["by"] else ""
    return f"{by} at {_time(row[at])}" if row[at] else by


def _time(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M:%S} UTC"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + " …"
