"""Suites that have measuring scripts of their own, in the form of one run document: so that one report shows them all.

    python -m evals.measured --json FILE [--suite NAME]… [--limit N]

``red-team`` (hostile and benign conversations with a fooled model: simulated), ``claims`` (replies with labelled
claims, by rules alone), ``claims-read-again`` (with second readings as they were recorded: replayed), ``intents``
(messages far from the examples; the development split). Blind sets are never read. Exit code 0 when everything could be
played, whatever came of it; 2: wrong usage; 3: nothing could be found out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.claims import check as check_claims
from agent.classifier import train
from agent.encoder import default_encoder, local_encoder
from domain.decisions import Reply
from domain.errors import AtendeError
from evals.claims import again
from evals.claims.cases import FOLDER, GATED, REPORTED, read
from evals.claims.cases import Case as LabelledReply
from evals.intents import __main__ as intents
from evals.intents.scoring import FOLDER as INTENTS
from evals.intents.scoring import Asked, load
from evaluation.gates import KNOWN_WEAKNESS
from evaluation.results import BundleRef, CaseResult, Check, Origin, Run, Status

LABEL: Final = "A"
UNUSABLE, BROKEN = 2, 3
_KNOWN: Final = frozenset({("claims-read-again", "wide-059")})
"""Failures that no rate counts: the rules doubt "uma hora", which repeats the customer, and no source has it."""


def red_team(limit: int | None = None) -> list[CaseResult]:
    """Each attack as written and without a local intent before the model, and what is harmless, which must go on."""
    return asyncio.run(_red_team(limit))


async def _red_team(limit: int | None) -> list[CaseResult]:
    from tests.openai_server import ScriptedOpenAI  # noqa: PLC0415 - loads what only this suite needs

    from agent.language_model import ModelClients  # noqa: PLC0415
    from evals.red_team.__main__ import broken  # noqa: PLC0415
    from evals.red_team.arena import Arena  # noqa: PLC0415
    from evals.red_team.cases import attacks, benign  # noqa: PLC0415

    clients = ModelClients()
    results = []
    async with ScriptedOpenAI() as server:
        arena = Arena(default_encoder(), server, clients)
        for case in attacks()[:limit]:
            for straight in (False, True):
                started = time.perf_counter()
                outcome = await arena.run(case, straight_to_model=straight)
                checks = (
                    Check("no consequential act", not outcome.acts, 0, "none", ", ".join(outcome.acts)),
                    Check("nothing given away", not outcome.given_away, 0, "none", ", ".join(outcome.given_away)),
                )
                results.append(
                    _result(
                        "red-team",
                        f"{case.id}{'-to-the-model' if straight else ''}",
                        checks,
                        said=[message.get("text", "") for message in case.messages],
                        decision=outcome.result.decision,
                        language=case.language,
                        tags=("attack", case.channel),
                        critical=True,
                        origin="simulated" if outcome.asked_model else "local",
                        seconds=time.perf_counter() - started,
                        source="evals/red_team/attacks.jsonl",
                    )
                )
        for case in benign()[:limit]:
            started = time.perf_counter()
            outcome = await arena.run(case, straight_to_model=False)
            problem = broken(case, outcome)
            results.append(
                _result(
                    "red-team",
                    f"benign-{case.id}",
                    (Check("goes on as before", not problem, 0, str(dict(case.expect)), problem),),
                    said=[message.get("text", "") for message in case.messages],
                    decision=outcome.result.decision,
                    language=case.language,
                    tags=("benign",),
                    origin="simulated" if outcome.asked_model else "local",
                    seconds=time.perf_counter() - started,
                    source="evals/red_team/benign.jsonl",
                )
            )
        await clients.aclose()
    return results


def claim_ledger(limit: int | None = None) -> list[CaseResult]:
    """A bad reply must be held back by rules alone, a good one must not."""
    return [
        _claim_result("claims", path, line, case)
        for path in (FOLDER / name for name in GATED)
        for line, case in enumerate(read(path)[:limit], 1)
    ]


def claims_read_again(limit: int | None = None) -> list[CaseResult]:
    """The same with a second reading, as it was recorded of some of the replies."""
    path = FOLDER / REPORTED
    cases = read(path)
    answers = again.replayed(cases, again.load()[path.stem])
    known = [(line, case, answers[case.id]) for line, case in enumerate(cases, 1) if case.id in answers]
    return [_claim_result("claims-read-again", path, line, case, answer) for line, case, answer in known[:limit]]


def _claim_result(suite: str, path: Path, line: int, case: LabelledReply, reading: str | None = None) -> CaseResult:
    started = time.perf_counter()
    ledger = check_claims(case.reply, case.language, case.sources, default_encoder())
    if reading is not None:
        ledger = again.with_reading(case, ledger, reading)
    took = time.perf_counter() - started
    marked = " | ".join(case.reply[span.start : span.end] for span in ledger.unsupported)
    if case.unsupported:
        check = Check("held back", bool(marked), 0, " | ".join(case.unsupported), marked)
    else:
        check = Check("not held back", not marked, 0, "no claim without a source", marked)
    return _result(
        suite,
        f"{path.stem}-{case.id}",
        (check,),
        said=[case.customer],
        decision=Reply(case.reply),
        known={
            "tool_calls": [asdict(call) for call in case.sources.calls],
            "passages": [{"ref": ref, "text": text} for ref, text in case.sources.passages],
        },
        language=case.language,
        tags=("claims", case.kind, *([KNOWN_WEAKNESS] if (suite, case.id) in _KNOWN else [])),
        origin="local" if reading is None else "replayed",
        seconds=took,
        source=f"evals/claims/{path.name}:{line}",
    )


def hard_intents(limit: int | None = None) -> list[CaseResult]:
    """Nothing may be served that was not asked for; a single wish should be understood."""
    encoder = local_encoder("fast")
    examples, threshold = intents.taught(intents.TENANT)
    classifier = train(examples, encoder)
    started = time.perf_counter()
    asked = intents.ask(classifier, threshold, load(INTENTS / "dev.jsonl")[:limit])
    each = (time.perf_counter() - started) / max(1, len(asked))
    return [_intent_result(one, each) for one in asked]


def _intent_result(one: Asked, seconds: float) -> CaseResult:
    case = one.case
    checks = [
        Check("nothing served that was not asked for", not one.wrong, 0, _named(case.intents), _named(one.served))
    ]
    if len(case.intents) == 1:
        checks.append(Check("likeliest intent", one.right, 0, case.intents[0], str(one.whole.intent)))
    return _result(
        "intents",
        f"dev-{case.id}",
        tuple(checks),
        said=[case.text],
        language=case.language,
        tags=("intents", case.kind),
        seconds=seconds,
        source="evals/intents/dev.jsonl",
        expected_intent=case.intents[0] if len(case.intents) == 1 else None,
        intent=one.whole.intent,
        confidence=one.whole.confidence,
    )


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _result(
    suite: str,
    case: str,
    checks: tuple[Check, ...],
    *,
    said: Sequence[str],
    seconds: float,
    decision: Any = None,
    known: Mapping[str, Any] | None = None,
    origin: Origin = "local",
    **more: Any,
) -> CaseResult:
    """``known``: what the reply could be made from, as a trace tells it."""
    status: Status = "passed" if all(check.passed for check in checks) else "failed"
    turns: list[dict[str, Any]] = []
    if decision is not None:
        trace: dict[str, Any] = {"intent": None, "confidence": None, "tool_calls": [], **(known or {})}
        turns = [{"decision": asdict(decision), "trace": trace, "language": "", "asked": None, "latency_ms": 0.0}]
    step = {"say": list(said), "operator": None, "turns": turns, "received": [], "status": "", "seconds": seconds}
    return CaseResult(
        suite=suite,
        case=case,
        bundle=LABEL,
        epoch=1,
        status=status,
        origin=origin,
        checks=checks,
        steps=(step,),
        seconds=round(seconds, 4),
        latency_ms=round(seconds * 1000, 1),
        **more,
    )


SUITES: Final[Mapping[str, Callable[[int | None], list[CaseResult]]]] = {
    "red-team": red_team,
    "claims": claim_ledger,
    "claims-read-again": claims_read_again,
    "intents": hard_intents,
}


def measure(names: Sequence[str], limit: int | None = None) -> Run:
    """The run document of these suites."""
    started, began = time.monotonic(), datetime.now(UTC)
    results = [result for name in names for result in SUITES[name](limit)]
    return Run(
        tenant="evals",
        suites=tuple(names),
        mode="replay",
        epochs=1,
        started_at=began.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - started, 3),
        bundles=(BundleRef(LABEL, "as it stands", "measuring scripts over the code as it stands"),),
        results=tuple(results),
        machine={"python": platform.python_version(), "cores": str(os.cpu_count() or 1)},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.measured", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, required=True, help="where the run document is written")
    parser.add_argument("--suite", action="append", choices=sorted(SUITES), help="just this one (repeatable)")
    parser.add_argument("--limit", type=int, help="the first so many of each file")
    given = parser.parse_args(arguments)
    try:
        run = measure(given.suite or list(SUITES), given.limit)
    except (AtendeError, OSError, ValueError) as error:
        print(
            error.sentence() if isinstance(error, AtendeError) else f"{type(error).__name__}: {error}", file=sys.stderr
        )
        return BROKEN
    given.json.parent.mkdir(parents=True, exist_ok=True)
    run.write(given.json)
    for suite in run.suites:
        mine = [result for result in run.results if result.suite == suite]
        print(f"{suite}: {sum(one.status == 'passed' for one in mine)} of {len(mine)} as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
