"""Play a tenant's scripted conversations through the production agent, with no database and no channel.

    python -m evals.offline [TENANT_FOLDER] [--only NAME] [--json]

Prints a line per step and what differs. Exit code 0: all as scripted; 1: something differs; 2: wrong usage or mistakes
in the files; 3: nothing could be found out, for instance because the encoder's weights are missing. No language model
is asked. ``atende demo --check`` plays the same scripts through the whole product, which takes longer, and those that
are about more than the agent (consent, the kill switch, hours, tags), which are left out here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.encoder import default_encoder
from domain.errors import AtendeError, NotFoundError
from evaluation.player import play_scripts
from flows.declared_files import TenantFilesError
from flows.demo_outcomes import StepSeen, as_document
from flows.demo_scripts import DemoScript, Expectation, chosen, load_demo
from flows.tenant_declaration import TenantDeclaration
from flows.tenant_files import load_tenant

AS_SCRIPTED, DIFFERS, UNUSABLE, BROKEN = 0, 1, 2, 3
EXAMPLE = Path(__file__).parents[1] / "tenants" / "loja-aurora"


class NoScriptsError(AtendeError):
    """A tenant folder with nothing to play, which must not pass for success."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The tenant folder {folder} has no scripted conversation.",
            hint=f"Write one below {folder / 'demo'}, as the example tenant has them.",
        )
        self.folder = folder


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code. argparse itself leaves with 2 for arguments that it does not know."""
    given = _parser().parse_args(arguments)
    try:
        declaration, scripts = _read(given.tenant, given.only)
    except (TenantFilesError, NotFoundError, NoScriptsError) as error:
        print(error.sentence(), file=sys.stderr)
        return UNUSABLE
    started = time.monotonic()
    lines = sys.stderr if given.json else sys.stdout

    def show(script: DemoScript, position: int, seen: StepSeen) -> None:
        print(_line(script, position, seen), file=lines, flush=True)
        for problem in seen.problems:
            print(f"        ✗ {problem}", file=lines, flush=True)

    try:
        played = asyncio.run(play_scripts(declaration, scripts, default_encoder(), _now, show))
    except (AtendeError, OSError) as error:
        text = error.sentence() if isinstance(error, AtendeError) else f"{type(error).__name__}: {error}"
        print(f"The evaluation could not be carried out. {text}", file=sys.stderr)
        return BROKEN
    seconds, passed = time.monotonic() - started, sum(one.passed for one in played)
    print(f"{passed} of {len(played)} scripts as scripted, {seconds:.1f} s.", file=lines)
    if given.json:
        print(json.dumps(as_document(played, seconds), ensure_ascii=False, indent=2))
    return AS_SCRIPTED if passed == len(played) else DIFFERS


def _read(folder: Path, only: Sequence[str]) -> tuple[TenantDeclaration, list[DemoScript]]:
    declaration = load_tenant(folder)
    scripts = load_demo(folder, declaration)
    if not scripts:
        raise NoScriptsError(folder)
    return declaration, [script for script in chosen(scripts, only) if script.graph_alone]


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    summary, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m evals.offline",
        description=summary,
        epilog=details.split("\n\n", 2)[-1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tenant", metavar="TENANT_FOLDER", nargs="?", type=Path, default=EXAMPLE)
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="just this script (repeatable)")
    parser.add_argument("--json", action="store_true", help="print one JSON document; the lines go to stderr")
    return parser


def _line(script: DemoScript, position: int, seen: StepSeen) -> str:
    mark = "DIFFERS" if seen.problems else "ok"
    expected = _expected(script.steps[position - 1].expect)
    return f"{mark:7} {script.name:22} {position}  {expected:55} → {_got(seen):58} {seen.seconds * 1000:5.0f} ms"


def _expected(expect: Expectation) -> str:
    parts = [
        expect.decision,
        expect.intent,
        f"({' or '.join(expect.handoff_reason)})" if expect.handoff_reason else None,
        f"{expect.function}()" if expect.function else None,
        expect.status,
        f"{len(expect.received)} sent" if expect.received is not None else None,
        "text" if expect.contains or expect.lacks else None,
    ]
    return " ".join(part for part in parts if part) or "anything"


def _got(seen: StepSeen) -> str:
    rest = [seen.status, f"{len(seen.received)} sent"]
    if not seen.turns:
        return " ".join(["none", *rest])
    last = seen.turns[-1]
    parts = [
        last.decision,
        last.intent,
        f"{last.confidence:.2f}" if last.confidence is not None else None,
        f"({last.handoff_reason})" if last.handoff_reason else None,
        *(f"{name}()" for name in last.functions),
        *rest,
    ]
    return " ".join(part for part in parts if part)


if __name__ == "__main__":
    sys.exit(main())
