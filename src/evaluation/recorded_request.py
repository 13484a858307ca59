"""A request as it is recorded: without personal data, and compared with others so that a miss can say what differs."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.personal_data import Kind, Placeholders, Spelling

_NAME: Final = re.compile(r"<customer_name>(.*?)</customer_name>", re.DOTALL)
_SPELLED: Final = re.compile(r"(\[[A-Z_]+_\d+)=(bare|formatted)\]")
_SHOWN: Final = 90
_PROTOCOL: Final = frozenset({"role", "type", "model"})
"""Keys whose texts are the protocol's own."""
_CANDIDATES: Final = 40
"""Recordings that are compared in detail: those that share most with the request."""


class Scrubber(Placeholders):
    """Replaces personal data by marks numbered as they first appear in a request: the file tells nothing of them.

    The customer's own display name is replaced, too, since it stands in every system prompt.
    """

    def __init__(self) -> None:
        super().__init__("recording")
        self._called: dict[str, str] = {}

    def hidden(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The request's body with marks; learns what stands for what."""
        messages = body.get("messages") or []
        for message in messages:
            for text in _texts(message):
                self.learn(text)
                for name in _NAME.findall(text):
                    self._call(name.strip())
        hidden: dict[str, Any] = self._walk(body, self._hide_text)
        return hidden

    def hidden_answer(self, response: Mapping[str, Any]) -> dict[str, Any]:
        """A response with the same marks; what it alone holds gets marks that nothing can undo."""
        for choice in response.get("choices") or ():
            for text in _texts(choice.get("message") or {}):
                self.learn(text)
        hidden: dict[str, Any] = self._walk(response, self._hide_spelled)
        return hidden

    def revealed(self, response: Mapping[str, Any]) -> Any:
        """A recorded response with the data of the request that was hidden before."""
        return self._walk(response, self._reveal_text)

    def _number(self, key: tuple[Kind, str]) -> int:
        return sum(kind is key[0] for kind, _ in self._names) + 1

    def _call(self, name: str) -> None:
        if not name or name in self._called:
            return
        self._called[name] = f"[CUSTOMER_{len(self._called) + 1}]"
        first = name.split(maxsplit=1)[0]
        if first != name and len(first) > 1:
            self._called.setdefault(first, f"[CUSTOMER_{len(self._called) + 1}]")

    def _hide_text(self, text: str) -> str:
        for name in sorted(self._called, key=len, reverse=True):
            # Marks hold no backslash, so they mean nothing as a replacement's template.
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", self._called[name], text)
        return self.hide(text)

    def _hide_spelled(self, text: str) -> str:
        """As ``_hide_text``, but a value that the model spelled otherwise than the customer keeps its spelling."""
        for name in list(self._values):
            for spelling in (Spelling.BARE, Spelling.FORMATTED):
                form = self.reveal_json(name, spelling)
                if form != self.reveal_json(name):
                    text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", f"{name[:-1]}={spelling}]", text)
        return self._hide_text(text)

    def _reveal_text(self, text: str) -> str:
        for name, mark in self._called.items():
            text = text.replace(mark, name)
        text = _SPELLED.sub(lambda match: self.reveal_json(f"{match[1]}]", Spelling(match[2])), text)
        return self.reveal_json(text)

    def _walk(self, value: Any, change: Any, key: str = "") -> Any:
        match value:
            case str():
                return value if key in _PROTOCOL else change(value)
            case Mapping():
                return {
                    name: item if name == "tools" else self._walk(item, change, str(name))
                    for name, item in value.items()
                }
            case list() | tuple():
                return [self._walk(item, change, key) for item in value]
            case _:
                return value


@dataclass(frozen=True, slots=True)
class Nearest:
    """The recording most like a request. ``field``: where the two first differ; ``difference``: how, shortly."""

    key: str
    field: str
    difference: str

    def told(self) -> str:
        """For a person."""
        return f"the nearest recording, {self.key}, differs in {self.field}: {self.difference}"


def nearest(request: Mapping[str, Any], others: Iterable[tuple[str, Mapping[str, Any]]]) -> Nearest | None:
    """Which of the recorded requests is most like this one, and what differs."""
    own = _leaves(request)
    scored = [(len(own.items() & (theirs := _leaves(other)).items()), key, theirs) for key, other in others]
    if not scored:
        return None
    scored.sort(key=lambda one: (-one[0], one[1]))
    _, key, theirs = max(
        scored[:_CANDIDATES],
        key=lambda one: sum(_likeness(own.get(place, ""), one[2].get(place, "")) for place in own.keys() | one[2]),
    )
    places = [place for place in [*own, *theirs] if own.get(place) != theirs.get(place)]
    field = places[0] if places else "nothing"
    more = f" (and {len(set(places)) - 1} more fields)" if len(set(places)) > 1 else ""
    return Nearest(key, field, f"{_difference(theirs.get(field), own.get(field))}{more}")


def _leaves(value: Any, place: str = "") -> dict[str, str]:
    match value:
        case Mapping() if place.startswith("tools"):
            function = value.get("function") or {}
            return {f"tools.{function.get('name', place)}": json.dumps(value, sort_keys=True, ensure_ascii=False)}
        case Mapping():
            return {
                k: v for name, item in value.items() for k, v in _leaves(item, f"{place}.{name}".lstrip(".")).items()
            }
        case list() | tuple():
            return {k: v for index, item in enumerate(value) for k, v in _leaves(item, f"{place}[{index}]").items()}
        case _:
            return {place: value if isinstance(value, str) else json.dumps(value)}


def _likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    return difflib.SequenceMatcher(None, one[:400], other[:400], autojunk=False).quick_ratio()


def _difference(recorded: str | None, asked: str | None) -> str:
    if recorded is None or asked is None:
        return f"recorded {_short(recorded)}, asked {_short(asked)}"
    before, after = recorded.split("\n"), asked.split("\n")
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            old, new = "\n".join(before[a:b]), "\n".join(after[c:d])
            start = next((i for i, (x, y) in enumerate(zip(old, new, strict=False)) if x != y), 0)
            at = max(0, start - 20)
            line = f" (line {c + 1})" if len(after) > 1 else ""
            return f"recorded {_short(old[at:])}, asked {_short(new[at:])}{line}"
    return "nothing"


def _short(text: str | None) -> str:
    if text is None:
        return "nothing there"
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _SHOWN else flat[:_SHOWN] + "…")


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    calls = message.get("tool_calls") or ()
    arguments = [str((call.get("function") or {}).get("arguments") or "") for call in calls]
    return [*([content] if isinstance(content, str) else []), *arguments]
