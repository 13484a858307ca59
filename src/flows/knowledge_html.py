"""HTML as a document: what a reader of the page sees, under its headings. Runs apart (``flows.knowledge_apart``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from flows.knowledge_files import (
    Block,
    DocumentText,
    DocumentUnreadableError,
    decoded,
    finished,
    name_as_title,
    one_line,
)

_UNSEEN: Final = frozenset(
    (  # noqa: SIM905
        "script style noscript template head nav footer aside form button select svg iframe object canvas video audio "
        "dialog"
    ).split()
)
_BLOCK: Final = frozenset(
    (  # noqa: SIM905
        "p div section article main ul ol li table tr blockquote pre dd figure figcaption br hr header body html "
        "address"
    ).split()
)
_LEVELS: Final = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6, "summary": 7, "dt": 7}
_HIDDEN: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?!\.?\d)|opacity\s*:\s*0(?!\.?\d)", re.I
)
_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}charset=[\"']?\s*([\w-]{3,20})", re.I)


def read_html(name: str, data: bytes) -> DocumentText:
    """Raises DocumentUnreadableError."""
    from lxml import etree, html  # noqa: PLC0415 - only where HTML is read

    text, notes = _decoded(name, data)
    try:
        root = html.document_fromstring(
            text, parser=html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True)
        )
    except (etree.LxmlError, ValueError, AssertionError) as error:
        problem = f"cannot be read as HTML ({one_line(str(error))[:120]})"
        raise DocumentUnreadableError(
            name, problem, hint="Save the page again, or copy its text into a Markdown file."
        ) from error
    title = one_line(root.findtext(".//title") or root.findtext(".//h1") or "")
    hint = "It may be filled in by scripts: open it in a browser and save it as PDF, or copy its text."
    return finished(name, title or name_as_title(name), _blocks(root, title), empty_hint=hint, notes=notes)


def _decoded(name: str, data: bytes) -> tuple[str, tuple[str, ...]]:
    declared = _CHARSET.search(data[:2048])
    if declared and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            text = data.decode(declared[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            return decoded(name, data)
        return re.sub(r"^\s*<\?xml[^>]*\?>", "", text), ()
    text, notes = decoded(name, data)
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text), notes


def _blocks(root: Any, title: str) -> Iterator[Block]:
    path, gathered = [""] * 8, list[str]()

    def close() -> Iterator[Block]:
        text = "\n".join(filter(None, (" ".join(line.split()) for line in "".join(gathered).split("\n"))))
        gathered.clear()
        if text:
            yield Block(text, tuple(part for part in path if part and part != title))

    # No recursion: pages may be nested deeper than Python's stack.
    waiting: list[tuple[str, Any]] = [("enter", root)]
    while waiting:
        step, element = waiting.pop()
        if step == "text":
            gathered.append(re.sub(r"\s+", " ", element))
            continue
        tag = element.tag if isinstance(element.tag, str) else ""
        if step == "leave":
            if tag in _BLOCK:
                gathered.append("\n")
            elif tag in {"td", "th"}:
                gathered.append(" | ")
            if tag in {"p", "ul", "ol", "table", "dd", "blockquote", "section", "article"}:
                yield from close()
            continue
        if not tag or tag in _UNSEEN or _is_hidden(element):
            continue
        if level := _LEVELS.get(tag):
            yield from close()
            path[level:] = [one_line(element.text_content())] + [""] * (7 - level)
            continue
        if tag in _BLOCK:
            gathered.append("\n- " if tag == "li" else "\n")
        waiting.append(("leave", element))
        for child in reversed(element):
            if child.tail:
                waiting.append(("text", child.tail))
            waiting.append(("enter", child))
        if element.text:
            waiting.append(("text", element.text))
    yield from close()


def _is_hidden(element: Any) -> bool:
    """What a visitor of the page does not see is not what the business tells its customers."""
    return (
        "hidden" in element.attrib
        or element.get("aria-hidden") == "true"
        or bool(_HIDDEN.search(element.get("style") or ""))
    )
