"""A day's real conversations, played against a draft: what happened beside what would happen."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from app.encoders import encoder_of
from app.eval_case_export import NothingToTakeError, write_suite, zone_of
from app.eval_reproduction import case_problems
from app.eval_run import model_terms
from app.tenant_work import TenantWork, opened, settings_for
from evaluation.gates import Gates, judge
from evaluation.lineup import CANDIDATE, Wanted, line_up
from evaluation.results import BESIDE, BundleRef, CaseResult, Check, Run
from evaluation.runner import Terms, run_cases
from evaluation.suites import load_suite
from flows.eval_cases import EvalCases
from flows.eval_drafts import Draft

HAPPENED: Final = "B"
"""Label of what happened, beside the draft's."""
_SUITE: Final = "replayed"
_LONGEST: Final = 160


def replay_day(
    tenant: str,
    data_dir: Path | None,
    folder: Path,
    *,
    day: datetime | None,
    bundle: str,
    html: Path | None,
    document: Path | None,
) -> int:
    """Play and print; returns the exit code.

    Raises NothingToTakeError, TooManyTurnsError, and what reading the bundle raises.
    """
    settings = settings_for(data_dir)

    async def read() -> list[Draft]:
        async with opened(settings, tenant) as work:
            return await _drafts(work, day)

    drafts = asyncio.run(read())
    if not drafts:
        raise NothingToTakeError(f"{tenant} decided nothing on that day", "Name another one with --day.")
    with tempfile.TemporaryDirectory() as folder_of_suite:
        file = Path(folder_of_suite) / f"{_SUITE}.eval.yaml"
        write_suite(file, _SUITE, f"{tenant}, replayed", [_unjudged(draft) for draft in drafts])
        suite = load_suite(file)
        lineup = line_up([suite], Wanted(bundle, None, folder), encoder_of(settings), model_terms(settings, "live"))
        played = run_cases(lineup, Terms(mode="live"))
    run = _beside(played, drafts)
    verdict = judge(run, None, Gates())
    _print(run)
    if document:
        run.write(document)
    if html:
        from app.eval_report import write_html  # noqa: PLC0415 - only where it is wanted

        write_html(run, None, verdict, html)
    print(verdict.sentence)
    return verdict.exit_code


async def _drafts(work: TenantWork, day: datetime | None) -> list[Draft]:
    zone = await zone_of(work)
    begin = (day or datetime.now(zone) - timedelta(days=1)).replace(
        hour=0, minute=0, second=0, microsecond=0, tzinfo=zone
    )
    queue = EvalCases(work.db, work.wakeup, work.settings.secret, case_problems)
    return [draft async for draft in queue.of_time(work.tenant_id, begin, begin + timedelta(days=1), every=True)]


def _unjudged(draft: Draft) -> dict[str, Any]:
    """Compared with what happened afterwards, field by field, instead of by expectations."""
    return {name: value for name, value in draft.case.items() if name != "expect"}


def _beside(played: Run, drafts: list[Draft]) -> Run:
    """The run with what happened as a second bundle, and every difference as a failed check of the draft's."""
    by_name = {result.case: result for result in played.results}
    results: list[CaseResult] = []
    for draft, (name, result) in zip(drafts, by_name.items(), strict=True):
        results += [_compared(result, draft), _happened(name, result, draft)]
    happened = BundleRef(HAPPENED, _hashes(drafts), "what happened that day")
    return Run(
        tenant=played.tenant,
        suites=played.suites,
        mode=BESIDE,
        epochs=1,
        started_at=played.started_at,
        seconds=played.seconds,
        bundles=(*played.bundles, happened),
        results=tuple(results),
        machine=played.machine,
    )


def _hashes(drafts: list[Draft]) -> str:
    found = {str(draft.happened["prompt_bundle"]) for draft in drafts if draft.happened["prompt_bundle"]}
    return " ".join(sorted(found)) or "unknown"


def _compared(result: CaseResult, draft: Draft) -> CaseResult:
    result = replace(result, source="")  # the file that it was played from is gone
    if result.status == "errored":
        return result
    turn = next((turn for step in result.steps for turn in step["turns"]), None)
    now = _seen(turn)
    then = _then(draft.happened)
    checks = tuple(
        Check(name, now[name] == then[name], 0, then[name][:_LONGEST], now[name][:_LONGEST]) for name in then
    )
    same = all(check.passed for check in checks)
    return replace(result, checks=checks, status="passed" if same else "failed")


def _happened(name: str, result: CaseResult, draft: Draft) -> CaseResult:
    then = draft.happened
    decision = {"kind": then["decision"], "text": then["text"], "reason": then["reason"], "reasons": []}
    step = {
        "say": [one if isinstance(one, str) else one.get("text", "") for one in draft.case["say"]],
        "operator": None,
        "turns": [
            {
                "decision": decision,
                "trace": {"intent": then["intent"], "confidence": then["confidence"], "tool_calls": then["calls"]},
                "language": draft.case.get("language", ""),
                "asked": None,
                "latency_ms": then["latency_ms"],
            }
        ],
        "received": [then["operator_text"]] if then["operator_text"] else [],
        "status": "",
        "seconds": 0.0,
    }
    return CaseResult(
        suite=result.suite,
        case=name,
        bundle=HAPPENED,
        epoch=1,
        status="passed",
        origin="live" if then["model"] else "local",
        tags=result.tags,
        language=result.language,
        steps=(step,),
        latency_ms=float(then["latency_ms"]),
        cost_micros=int(then["cost_micros"]),
        intent=then["intent"],
        confidence=then["confidence"],
    )


def _seen(turn: Mapping[str, Any] | None) -> dict[str, str]:
    if turn is None:
        return {"decision": "none", "intent": "none", "functions": "", "text": ""}
    decision, trace = turn["decision"], turn["trace"]
    functions = [call["function"] for call in trace["tool_calls"]] + [decision.get("function")]
    return {
        "decision": decision["kind"],
        "intent": str(trace["intent"] or "none"),
        "functions": ", ".join(dict.fromkeys(name for name in functions if name)),
        "text": decision.get("text") or "",
    }


def _then(happened: Mapping[str, Any]) -> dict[str, str]:
    functions = [call["function"] for call in happened["calls"]] + [happened["function"]]
    return {
        "decision": happened["decision"],
        "intent": str(happened["intent"] or "none"),
        "functions": ", ".join(dict.fromkeys(name for name in functions if name)),
        "text": happened["text"],
    }


def _print(run: Run) -> None:
    """What differs, side by side."""
    for result in run.of(CANDIDATE):
        wrong = [check for check in result.checks if not check.passed]
        if result.status == "errored":
            print(f"{result.case}: could not be played: {result.error}")
        elif wrong:
            said = " / ".join(text for step in result.steps for text in step["say"])
            print(f"{result.case}: {said[:_LONGEST]}")
            for check in wrong:
                print(f"  {check.name:10} then  {check.expected!r}\n  {'':10} draft {check.got!r}")
