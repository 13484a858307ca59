"""Puts a run of evals on a tenant's pages."""

from __future__ import annotations

import getpass
import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.eval_run import NO_WORSE, STRICT
from app.tenant_work import run_for
from domain.errors import AtendeError
from domain.text import storable
from evaluation.comparison import compare
from evaluation.gates import judge, load_gates
from evaluation.lineup import BASELINE, CANDIDATE
from evaluation.report import Report, make_report
from evaluation.results import Run
from flows.eval_runs import EvalRuns
from store.eval_runs import NewRun

if TYPE_CHECKING:
    from app.tenant_work import TenantWork
    from evaluation.comparison import Comparison
    from evaluation.gates import Verdict


class AnotherTenantsRunError(AtendeError):
    """The run was made with another tenant's folder."""

    def __init__(self, of: str, wanted: str) -> None:
        super().__init__(
            f"The run is of the tenant {of!r}, not of {wanted!r}.", hint=f"Say --tenant {of}, or run the suite again."
        )


def publish_file(path: Path, gates_file: Path | None, *, tenant: str, data_dir: Path | None = None) -> int:
    """Judge the run document and store it, whatever the verdict; returns 0.

    Raises NotARunError, GateFileError, AnotherTenantsRunError, StatisticsMissingError, NotFoundError.
    """
    run = Run.read(path)
    gates = load_gates(gates_file) if gates_file else NO_WORSE if run.compares else STRICT
    comparison = compare(run, CANDIDATE, BASELINE) if run.compares else None
    publish(run, comparison, judge(run, comparison, gates), tenant=tenant, data_dir=data_dir)
    return 0


def publish(
    run: Run, comparison: Comparison | None, verdict: Verdict, *, tenant: str, data_dir: Path | None = None
) -> None:
    """Store a judged run for the tenant of that slug, and say where it is shown."""
    if run.tenant != tenant:
        raise AnotherTenantsRunError(run.tenant, tenant)
    new = new_run(run, make_report(run, comparison, verdict))

    async def work(found: TenantWork) -> list[str]:
        run_id, is_new = await EvalRuns(found.db).publish(found.tenant_id, new, by=_who())
        return [f"{'Published' if is_new else 'It was published before'}: /evals/{run_id}"]

    run_for(tenant, data_dir, work)


def new_run(run: Run, report: Report) -> NewRun:
    """The run as the database keeps it."""
    view = report.view
    bundles = {one["label"]: one for one in view["bundles"]}

    def bundle(label: str) -> dict[str, Any]:
        one = bundles.get(label, {})
        return {key: storable(str(one.get(key, "")))[0] for key in ("label", "hash", "description")} if label else {}

    started = datetime.fromisoformat(run.started_at)
    content = json.dumps(view, sort_keys=True, ensure_ascii=False).encode()
    return NewRun(
        digest=hashlib.sha256(b"\0".join([content, *report.packs])).hexdigest(),
        started_at=started if started.tzinfo else started.replace(tzinfo=UTC),
        mode=run.mode,
        candidate=bundle(view["candidate"]),
        baseline=bundle(view["baseline"]),
        verdict=view["verdict"]["kind"],
        exit_code=view["verdict"]["exit_code"],
        shares=[
            {"suite": one["name"], "origin": one["origin"]}
            | {
                key: one["shares"][view["candidate"]][key]
                for key in ("cases", "passed", "rate", "low", "high", "errored")
            }
            for one in view["totals"]
            if one["kind"] == "suite"
        ],
        view=gzip.compress(content, 6, mtime=0),
        packs=report.packs,
    )


def _who() -> str:
    try:
        return getpass.getuser()
    except OSError:  # a container's user without a name
        return ""
