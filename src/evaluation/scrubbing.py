"""Requests and answers without personal data: what is recorded tells nothing of persons, and replaying still works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.personal_data import Kind, Placeholders, Spelling
from domain.personal_data.found import folded
from domain.personal_data.names import NameWords, PersonNames

_NAME: Final = re.compile(r"<customer_name>(.*?)</customer_name>", re.DOTALL)
_SPELLED: Final = re.compile(r"(\[[A-Z_]+_\d+)=(bare|formatted)\]")
_PROTOCOL: Final = frozenset({"role", "type", "model"})
"""Keys whose texts are the protocol's own."""
_WORD: Final = re.compile(r"\\[nrtbf\"/\\]|(?:[^\W\d_]|\\u[0-9a-fA-F]{4})+(?:['’\-][^\W\d_]+)*")
"""A word in a text or within JSON, where letters may be escaped and a line break's n is none of the word."""
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_CASES: Final[Mapping[str, Callable[[str], str]]] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": str.capitalize,
}
"""How an answer writes a name that the request wrote otherwise."""


class Scrubber(Placeholders):
    """Replaces personal data by marks numbered as they first appear in a request: the file tells nothing of them.

    So are names: the customer's own, which stands in every system prompt, and those of people whom the conversation or
    a function's result names. Each way of writing a name has a mark of its own, so that it comes back as it was.
    """

    def __init__(self) -> None:
        super().__init__("recording")
        self._called: dict[str, str] = {}
        self._people = NameWords(lambda _, __: 0)
        self._written: dict[str, str] = {}
        """Words of names as they are written in the request, and their marks."""

    def hidden(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The request's body with marks; learns what stands for what."""
        messages = body.get("messages") or []
        for message in messages:
            for text in _texts(message):
                self.learn(text)
                for name in _NAME.findall(text):
                    self._call(name.strip())
                    self._people.learn(name)
                if message.get("role") != "system":  # in rules, nobody introduces himself
                    self._people.learn_from_text(text)
                    for name in PersonNames.in_json(_json(text)):
                        self._people.learn(name)
        hidden: dict[str, Any] = self._walk(body, self._hide_text)
        for name in list(self._called):
            # An answer may use a part of the name that the request never holds by itself.
            _WORD.sub(lambda match: self._name_mark(match[0], answer=False), name)
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

    def _hide_text(self, text: str, *, answer: bool = False) -> str:
        text = self.hide(text)
        for name in sorted(self._called, key=len, reverse=True):
            # Marks hold no backslash, so they mean nothing as a replacement's template.
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", self._called[name], text)
        return _WORD.sub(lambda match: self._name_mark(match[0], answer=answer), text)

    def _name_mark(self, word: str, *, answer: bool) -> str:
        """The word, or its mark if it is one of a person's name. An ``answer`` may write it as the request did not."""
        if word in self._written:
            return self._written[word]
        plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), word)
        if not plain[0].isalpha() or not self._people.knows(plain):
            return word
        if not answer:
            self._written[word] = f"[NAME_{len(self._written) + 1}]"
            return self._written[word]
        same = next((mark for known, mark in self._written.items() if folded(known) == folded(plain)), None)
        return f"{same[:-1]}={_case(plain)}]" if same else "[NAME]"

    def _hide_spelled(self, text: str) -> str:
        """As ``_hide_text``, but a value that the model spelled otherwise than the customer keeps its spelling."""
        for name in list(self._values):
            for spelling in (Spelling.BARE, Spelling.FORMATTED):
                form = self.reveal_json(name, spelling)
                if form != self.reveal_json(name):
                    text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", f"{name[:-1]}={spelling}]", text)
        return self._hide_text(text, answer=True)

    def _reveal_text(self, text: str) -> str:
        for name, mark in self._called.items():
            text = text.replace(mark, name)
        for word, mark in self._written.items():
            text = text.replace(mark, word)
            for case, write in _CASES.items():
                text = text.replace(f"{mark[:-1]}={case}]", write(word))
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


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    calls = message.get("tool_calls") or ()
    arguments = [str((call.get("function") or {}).get("arguments") or "") for call in calls]
    return [*([content] if isinstance(content, str) else []), *arguments]


def _json(text: str) -> Any:
    """What a function's result or a call's arguments say; None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _case(word: str) -> str:
    return next((name for name, write in _CASES.items() if write(word) == word), "title")
