"""The part of the design system's style sheet that our pages use: a third of its weight.

``make styles`` writes ``static/tabler.css`` anew; a test says when that is due. A rule stays if some page
may need it: all classes of one of its selectors are named in a template, a script or a table of words, whole or by a
beginning that a template completes (``bg-{{ colour }}``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).parent
WHOLE = WEB / "static/vendor/tabler.min.css"
LEAN = WEB / "static/tabler.css"
_NAMING = ("templates/**/*.html", "static/*.js", "static/inbox/*.js", "*.py")
_WORD = re.compile(r"[A-Za-z][\w-]*")
_BEGINNING = re.compile(r"([A-Za-z][\w-]*-)(?:\{\{|\$\{|\" ?~|' ?~|\{)")
_CLASS = re.compile(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)")
_NOT = re.compile(r":not\([^()]*(?:\([^()]*\)[^()]*)*\)")
_NESTED = ("@media", "@supports", "@layer", "@container")
_WHOLLY = ("@font-face", "@keyframes", "@-webkit-keyframes", "@charset")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def lean_styles() -> str:
    """The style sheet's rules that may be needed, in their order."""
    words: set[str] = set()
    beginnings: set[str] = set()
    for pattern in _NAMING:
        for path in sorted(WEB.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            words.update(_WORD.findall(text))
            beginnings.update(found for found in _BEGINNING.findall(text))
    kept = _kept(_COMMENT.sub("", WHOLE.read_text(encoding="utf-8")), words, tuple(beginnings))
    return f"/* Made of tabler.min.css by make styles: see web/lean_styles.py. MIT, Tabler. */\n{kept}\n"


def leaves(sheet: str, within: str = "") -> Iterator[tuple[str, str, str]]:
    """(condition, selector, declarations) of every single rule of a style sheet."""
    for head, body in _rules(_COMMENT.sub("", sheet)):
        if body is None or head.startswith(_WHOLLY):
            yield within, head, body or ""
        elif head.startswith(_NESTED):
            yield from leaves(body, f"{within}{head} ")
        else:
            yield from ((within, selector, body) for selector in _split(head))


def _kept(sheet: str, words: set[str], beginnings: tuple[str, ...]) -> str:
    parts: list[str] = []
    for head, body in _rules(sheet):
        if body is None or head.startswith(_WHOLLY):
            parts.append(head if body is None else f"{head}{{{body}}}")
        elif head.startswith(_NESTED):
            inner = _kept(body, words, beginnings)
            if inner:
                parts.append(f"{head}{{{inner}}}")
        else:
            selectors = [one for one in _split(head) if _is_needed(one, words, beginnings)]
            if selectors:
                parts.append(f"{','.join(selectors)}{{{body}}}")
    return "".join(parts)


def _is_needed(selector: str, words: set[str], beginnings: tuple[str, ...]) -> bool:
    classes = (found.replace("\\", "") for found in _CLASS.findall(_NOT.sub("", selector)))
    return all(name in words or name.startswith(beginnings) for name in classes)


def _rules(sheet: str) -> Iterator[tuple[str, str | None]]:
    """Each rule's head and body; a statement without a body (``@charset …;``) with its semicolon."""
    place = 0
    while place < len(sheet):
        opening = sheet.find("{", place)
        ending = sheet.find(";", place)
        if opening < 0:
            return
        if 0 <= ending < opening and sheet[place:].lstrip().startswith("@"):
            yield sheet[place : ending + 1].strip(), None
            place = ending + 1
            continue
        depth, at = 1, opening + 1
        while depth:
            closing = sheet.find("}", at)
            inner = sheet.find("{", at)
            if 0 <= inner < closing:
                depth, at = depth + 1, inner + 1
            else:
                depth, at = depth - 1, closing + 1
        yield sheet[place:opening].strip(), sheet[opening + 1 : at - 1]
        place = at


def _split(head: str) -> list[str]:
    """The selectors of a rule: commas within parentheses divide none."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(head):
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append(head[start:place].strip())
            start = place + 1
    return [*parts, head[start:].strip()]


if __name__ == "__main__":
    LEAN.write_text(lean_styles(), encoding="utf-8")
