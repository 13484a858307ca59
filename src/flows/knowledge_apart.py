"""Reading a file that anybody may have made, in a process of its own with little memory and little time.

Libraries for PDF, DOCX and HTML are large programs over hostile input: what makes one of them loop, or eat all memory,
ends that process and becomes a sentence for whoever added the file. Markdown, text and CSV need none of it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from flows.knowledge_files import DocumentText, DocumentUnreadableError, kind_of
from flows.knowledge_text import read_markdown, read_questions, read_text

SECONDS: Final = 60
MEMORY: Final = 1_536 * 2**20
_PLAIN: Final[dict[str, Callable[[str, bytes], DocumentText]]] = {
    "md": read_markdown,
    "txt": read_text,
    "csv": read_questions,
}
_REFUSED = 3


def read_document(name: str, data: bytes, *, seconds: float = SECONDS, memory: int = MEMORY) -> DocumentText:
    """A file's text. Blocks for up to ``seconds``. Raises DocumentUnreadableError for whatever cannot be read."""
    kind = kind_of(name, data)
    if kind in _PLAIN:
        return _PLAIN[kind](name, data)
    command = [sys.executable, "-P", "-m", "flows.knowledge_apart", kind, name, str(memory)]
    try:
        run = subprocess.run(command, input=data, capture_output=True, timeout=seconds, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        raise DocumentUnreadableError(
            name, f"takes longer than {seconds:g} seconds to read", hint="Save it anew, or split it into smaller files."
        ) from error
    if run.returncode == _REFUSED:
        refused = json.loads(run.stdout)
        raise DocumentUnreadableError(name, refused["problem"], hint=refused["hint"])
    if run.returncode != 0:
        raise DocumentUnreadableError(
            name,
            "breaks its reader (too large, or damaged)",
            hint="Save it anew, or copy its text into a Markdown file.",
        )
    return DocumentText.from_json(json.loads(run.stdout))


def _limit(memory: int) -> None:
    import resource  # noqa: PLC0415 - there is none on Windows

    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))


def _main(kind: str, name: str, memory: int) -> int:
    from flows.knowledge_docx import read_docx  # noqa: PLC0415
    from flows.knowledge_html import read_html  # noqa: PLC0415
    from flows.knowledge_pdf import read_pdf  # noqa: PLC0415

    _limit(memory)
    try:
        document = {"pdf": read_pdf, "docx": read_docx, "html": read_html}[kind](name, sys.stdin.buffer.read())
    except DocumentUnreadableError as error:
        sys.stdout.write(json.dumps({"problem": error.problem, "hint": error.hint}))
        return _REFUSED
    sys.stdout.write(json.dumps(document.to_json()))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
