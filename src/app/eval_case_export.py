"""Suites written from what happened at work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from app.eval_reproduction import case_problems
from app.tenant_work import TenantWork, opened, settings_for
from domain.errors import AtendeError, InvalidInputError
from flows.eval_cases import EvalCases
from store import eval_cases, inbox
from store.eval_cases import State

_STATES: Final[tuple[State, ...]] = ("proposed", "accepted", "dropped")


class NothingToTakeError(AtendeError):
    """No case can be made of the tenant's work."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(f"There is nothing to take: {what}.", hint=hint)


def export_reviewed(tenant: str, data_dir: Path | None, file: Path, *, state: str, folder: str) -> int:
    """Write the queue's cases in a state; returns the exit code. Raises InvalidInputError, NothingToTakeError."""
    wanted: State | None = next((one for one in _STATES if one == state), None)
    if wanted is None:
        raise InvalidInputError("--state", f"{state!r} is none", hint=f"Use one of {', '.join(_STATES)}.")

    async def read(work: TenantWork) -> list[Mapping[str, Any]]:
        found: list[Any] = []
        async with work.db.transaction(work.tenant_id) as tx:
            while True:
                before = (found[-1]["proposed_at"], found[-1]["id"]) if found else None
                rows = await eval_cases.listed(tx, wanted, before=before, limit=200)
                found += rows
                if len(rows) < 200:
                    break
        return [_suite_case(row["content"]) for row in reversed(found)]

    written = asyncio.run(_with(tenant, data_dir, read))
    if not written:
        raise NothingToTakeError(
            f"{tenant} has no {state} case", "Cases are made in the inbox and accepted on the page /evals/cases."
        )
    write_suite(file, f"{tenant}-from-work", f"Cases that people of {tenant} took from their work", written, folder)
    print(f"{len(written)} {state} cases: {file}")
    return 0


def export_time(
    tenant: str, data_dir: Path | None, file: Path, *, since: datetime, until: datetime, folder: str
) -> int:
    """Write the regression suite of a time; returns the exit code. Raises InvalidInputError, NothingToTakeError."""
    if until <= since:
        raise InvalidInputError("--to", "is not after --from", hint="Name a later day.")

    async def read(work: TenantWork) -> list[Mapping[str, Any]]:
        zone = await zone_of(work)
        queue = EvalCases(work.db, work.wakeup, work.settings.secret, case_problems)
        times = _in(zone, since), _in(zone, until)
        return [_suite_case(draft.content) async for draft in queue.of_time(work.tenant_id, *times)]

    written = asyncio.run(_with(tenant, data_dir, read))
    if not written:
        raise NothingToTakeError(
            f"{tenant} has no turn of that time that people stood by", "Name another time with --from and --to."
        )
    title = f"What {tenant} decided from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}"
    write_suite(file, f"{tenant}-{since:%Y%m%d}", title, written, folder)
    print(f"{len(written)} cases: {file}")
    return 0


def write_suite(file: Path, name: str, title: str, cases: Sequence[Mapping[str, Any]], folder: str = "") -> None:
    """A suite as people read it. Case names that come twice get a number."""
    seen: dict[str, int] = {}
    listed = []
    for case in cases:
        count = seen[case["name"]] = seen.get(case["name"], 0) + 1
        listed.append({**case, "name": f"{case['name']}-{count}"} if count > 1 else dict(case))
    header: dict[str, Any] = {"suite": name, "title": title}
    if folder:
        header["tenant"] = folder
    text = yaml.safe_dump({**header, "cases": listed}, allow_unicode=True, sort_keys=False, width=116)
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = file.with_name(file.name + ".part")
    whole.write_text(text, encoding="utf-8")
    whole.replace(file)


async def zone_of(work: TenantWork) -> ZoneInfo:
    """The tenant's time zone."""
    async with work.db.transaction(work.tenant_id) as tx:
        return ZoneInfo((await inbox.workspace(tx)).timezone)


async def _with(tenant: str, data_dir: Path | None, read: Any) -> list[Mapping[str, Any]]:
    async with opened(settings_for(data_dir), tenant) as work:
        found: list[Mapping[str, Any]] = await read(work)
        return found


def _in(zone: ZoneInfo, at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _suite_case(content: Mapping[str, Any]) -> dict[str, Any]:
    """The case, and in its title what a good reply was where the case has no title of its own."""
    case = dict(content["case"])
    reply = content["happened"].get("operator_text") or ""
    if reply and not case.get("title"):
        case["title"] = f"A person answered: {' '.join(reply.split())}"[:300]
    return case
