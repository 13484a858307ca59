"""A second reading: a language model tells which source says what a reply claims, and its quotes are looked up.

The claim ledger's rules (agent.claims) know values, acts and states; whole sentences in other words they cannot judge.
A language model can, but may be fooled or careless. So it only points. What it calls unsupported waits for a person.
What it calls supported counts where its quote stands word for word in a source of the turn; what the customer wrote is
no source, and the clock tells nothing but days and times. What the rules found to be done or promised without any act
behind it stays held back, whatever the model says.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agent.claims import Ledger, Sources
from agent.language_model import Message
from agent.prompts import Prompt, as_data
from domain.decisions import Claim, ToolCall
from domain.errors import AtendeError

_RESULT_CHARACTERS: Final = 6_000
_TEXT_CHARACTERS: Final = 4_000
_CUSTOMER_MESSAGES: Final = 6
_CUSTOMER_CHARACTERS: Final = 600
_MOST_CLAIMS: Final = 200
NOTHING_POINTED_AT: Final = '{"claims": []}'
"""An answer that leaves the ledger as it was."""
_ACTS: Final = frozenset({"action", "promise"})
_CLOCK: Final = "calendar"
_DAYS: Final = frozenset({"date", "weekday", "time", "month", "period"})
_SUPPORTING: Final = frozenset({"succeeded", "business_error", "awaiting_approval"})


class UnreadableReadingError(AtendeError):
    """The model's answer is no list of claims."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A source as the model sees it. ``ref``: as in the ledger; ``text`` is what a quote must stand in."""

    ref: str
    head: str
    text: str
    quotable: bool = True


def reading_request(prompt: Prompt, reply: str, sources: Sources, *, masked: bool) -> list[Message]:
    """What the model is asked. The same reply over the same sources gives the same words."""
    lines = [
        f'<source id="{name}" {source.head}>\n{source.text}\n</source>' for name, source in _listed(sources).items()
    ]
    names = ", ".join(as_data(name) for name in sources.names)
    lines += [f"<names>{names}</names>"] if names else []
    for message in sources.customer[-_CUSTOMER_MESSAGES:]:
        lines.append(f"<customer>\n{as_data(message[:_CUSTOMER_CHARACTERS])}\n</customer>")
    lines.append(f"<reply>\n{as_data(reply)}\n</reply>")
    return [
        {"role": "system", "content": prompt.fill(masked=masked)},
        {"role": "user", "content": "\n".join(lines)},
    ]


def is_reading_request(messages: Sequence[Message]) -> bool:
    """Whether it was made by ``reading_request``: for what answers in a language model's stead."""
    return len(messages) == 2 and str(messages[1].get("content")).startswith('<source id="S0"')


def claims_of(answer: str, reply: str, sources: Sources) -> tuple[Claim, ...]:
    """The claims that a model's ``answer`` names, each with the source where its quotes were found, or none.

    Raises UnreadableReadingError for anything but the JSON that was asked for.
    """
    found: list[Claim] = []
    listed = {name: (source, _plain(source.text)) for name, source in _listed(sources).items()}
    for entry in _entries(answer):
        part, quotes = entry.get("part"), entry.get("quotes")
        if not isinstance(part, str) or not part.strip():
            raise UnreadableReadingError("A claim without its part", hint="Ask the model again, or another one.")
        behind = _behind(quotes, listed) if entry.get("supported") is True else None
        place = _place(part, reply)
        if place is None and behind is not None:
            continue  # it approves of words that the reply does not have
        start, end = place or (0, len(reply))
        found.append(Claim(start, end, "reading", reply[start:end], behind))
    return tuple(found)


def may_change(ledger: Ledger, sources: Sources) -> bool:
    """Whether a second reading could let the reply out: no quote releases an act or a promise with no act behind it."""
    return _has_acted(sources) or not any(claim.kind in _ACTS and claim.supported_by is None for claim in ledger.claims)


def read_together(ledger: Ledger, second: Sequence[Claim], sources: Sources) -> Ledger:
    """The ledger after the second reading: what it holds back is added, and what it found a source for is released."""
    doubted = [claim for claim in second if claim.supported_by is None]
    stay = _ACTS | {"unread"} if not _has_acted(sources) else frozenset({"unread"})
    claims = [
        replace(claim, supported_by=ref)
        if claim.supported_by is None and claim.kind not in stay and (ref := _released_by(claim, second))
        else claim
        for claim in ledger.claims
    ]
    return Ledger(tuple(sorted([*claims, *doubted], key=lambda claim: claim.start)))


def _released_by(claim: Claim, second: Sequence[Claim]) -> str | None:
    """The source of what the model says of these words, if it doubts none of them. The clock tells days and times."""
    refs = [other.supported_by for other in second if claim.start < other.end and other.start < claim.end]
    return None if None in refs else next((ref for ref in refs if ref != _CLOCK or claim.kind in _DAYS), None)


def _has_acted(sources: Sources) -> bool:
    return any(call.outcome == "succeeded" and call.function not in sources.reads for call in sources.calls)


def _listed(sources: Sources) -> Mapping[str, _Source]:
    listed = [_Source(_CLOCK, 'kind="now"', f"{sources.now:%A, %Y-%m-%d %H:%M}")]
    listed += [_call(call, sources) for call in sources.calls]
    listed += [_text("passage", *passage) for passage in sources.passages]
    listed += [_text("text", *text) for text in sources.texts]
    return {f"S{number}": source for number, source in enumerate(listed)}


def _call(call: ToolCall, sources: Sources) -> _Source:
    acts = "yes" if call.function in sources.writes else "no" if call.function in sources.reads else "unknown"
    head = f'kind="function" name="{as_data(call.function)}" acts="{acts}" outcome="{call.outcome}"'
    text = f"arguments: {_json(call.arguments)}\nresult: {_json(call.result)}"
    return _Source(call.function, head, text, call.outcome in _SUPPORTING)


def _json(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False, default=str)[:_RESULT_CHARACTERS]
    return written.replace("<", "\\u003c").replace(">", "\\u003e")


def _text(kind: str, ref: str, text: str) -> _Source:
    return _Source(ref, f'kind="{kind}"', as_data(text[:_TEXT_CHARACTERS]))


def _entries(answer: str) -> Iterable[Mapping[str, Any]]:
    start, end = answer.find("{"), answer.rfind("}")
    try:
        claims = json.loads(answer[start : end + 1])["claims"]
    except (ValueError, KeyError, TypeError, RecursionError):
        claims = None
    if not isinstance(claims, list) or len(claims) > _MOST_CLAIMS or not all(isinstance(c, dict) for c in claims):
        raise UnreadableReadingError("No list of claims", hint="Ask the model again, or another one.")
    return claims


def _behind(quotes: Any, listed: Mapping[str, tuple[_Source, str]]) -> str | None:
    """The source of the first quote, if every one of them stands where it is said to."""
    refs: list[str] = []
    for quote in quotes if isinstance(quotes, list) else ():
        source, text = listed.get(str(quote.get("source"))) or (None, "") if isinstance(quote, dict) else (None, "")
        words = _plain(str(quote.get("text") or "")) if isinstance(quote, dict) else ""
        if source is None or not source.quotable or not words or words not in text:
            return None
        refs.append(source.ref)
    return refs[0] if refs else None


_UNTOLD: Final = re.compile(r"[\W_]+")
_ESCAPES: Final = re.compile(r"\\+(?:[nrt\"]|u003[ce])|&(?:quot|lt|gt|amp);")


def _plain(text: str) -> str:
    """Words and figures alone, so that marks and line breaks do not matter: `"status": "sent"` is `status sent`."""
    words = _UNTOLD.sub(" ", _ESCAPES.sub(" ", text).casefold()).strip()
    return f" {words} " if words else ""


def _place(part: str, reply: str) -> tuple[int, int] | None:
    """Where the part stands in the reply, whatever its case, spaces and escapes."""
    for wanted in (part, html.unescape(part)):
        pattern = r"\s+".join(re.escape(word) for word in wanted.split())
        match = re.search(pattern, reply, re.IGNORECASE)
        if match:
            return match.start(), match.end()
    return None
