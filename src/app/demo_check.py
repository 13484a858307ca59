"""``atende demo --check``: all scripted conversations through the whole product, in a throw-away installation."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import yaml

from app.demo_play import Conversation, Stage
from app.settings import GivenSettings, Settings, shipped_tenants
from app.supervisor import Installation, Supervisor
from domain.errors import AtendeError
from flows.approvals import Approvals
from flows.demo_outcomes import Played, StepSeen, as_document
from flows.demo_scripts import DemoScript, chosen, load_demo
from flows.desk import Actor, Desk
from flows.stopping import KillSwitch
from flows.tenant_declaration import TenantDeclaration
from flows.tenant_files import load_tenant
from store.database import Database
from store.wakeup import Wakeup

PASSED, DIFFERED, BROKEN = 0, 1, 3
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DEBOUNCE_SECONDS = 0.8
"""Long enough that the messages of one step get one answer; the tenant's own would only make the check longer."""


async def check_demo(folder: Path | None, *, only: Sequence[str] = (), as_json: bool = False) -> int:
    """Play the scripts of a tenant folder (None: the shipped example) and print what happened; returns the exit code.

    0: all as scripted. 1: a decision differs. 3: the installation failed, so that nothing is known. Raises
    TenantFilesError for mistakes in the files, and NotFoundError for a name in ``only`` that no script has.
    """
    source = folder or shipped_tenants() / "loja-aurora"
    declaration = await asyncio.to_thread(load_tenant, source)
    scripts = chosen(load_demo(source, declaration), only)
    started = time.monotonic()

    def say(line: str) -> None:
        print(line, file=sys.stderr if as_json else sys.stdout, flush=True)

    try:
        with _throw_away(source) as settings:
            async with (
                Supervisor(settings, say).running() as installation,
                _stage(settings, installation, declaration) as stage,
            ):
                say(f"Playing {len(scripts)} conversations …")
                played = await _play(stage, scripts, say)
    except (AtendeError, httpx.HTTPError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        text = error.sentence() if isinstance(error, AtendeError) else f"{type(error).__name__}: {error}"
        print(f"The check could not be carried out. {text}", file=sys.stderr)
        return BROKEN
    failed = [one for one in played if not one.passed]
    if as_json:
        print(json.dumps(as_document(played, time.monotonic() - started), ensure_ascii=False, indent=2))
    else:
        for one in played:
            print("\n".join(["", *_transcript(one, declaration.settings.name)]))
        print(f"\n{len(played) - len(failed)} of {len(played)} as scripted, {time.monotonic() - started:.0f} s.")
    return DIFFERED if failed else PASSED


@contextmanager
def _throw_away(source: Path) -> Iterator[Settings]:
    """Settings of an installation in a temporary folder, with a copy of the tenant that answers sooner.

    Nothing of the environment counts: no other database, and no language model whose answers would vary.
    """
    folder = Path(tempfile.mkdtemp(prefix="atende-check-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # for root, PostgreSQL runs as another account
    try:
        tenant = folder / "tenants" / source.name
        shutil.copytree(source, tenant, ignore=shutil.ignore_patterns("__pycache__"))
        declared = yaml.safe_load((tenant / "tenant.yaml").read_text(encoding="utf-8"))
        seconds = dict.fromkeys(("seconds", "complete_seconds", "fragment_seconds"), DEBOUNCE_SECONDS)
        declared["debounce"] = {**declared.get("debounce", {}), **seconds}
        (tenant / "tenant.yaml").write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
        yield GivenSettings(
            data_dir=folder / "data",
            port=0,
            demo=True,
            demo_folder=tenant,
            log_level=os.environ.get("ATENDE_LOG_LEVEL", "warning").lower(),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _stage(
    settings: Settings, installation: Installation, declaration: TenantDeclaration
) -> AsyncIterator[Stage]:
    async with contextlib.AsyncExitStack() as stack:
        db = await Database.open(installation.database_url, settings.secret, max_connections=4)
        stack.push_async_callback(db.close)
        wakeup = Wakeup(db)
        stack.push_async_callback(wakeup.close)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=installation.url, timeout=30, trust_env=False)
        )
        look = await stack.enter_async_context(
            asyncpg.create_pool(installation.database_url, min_size=1, max_size=4, init=_read_json)
        )
        tenant_id = await look.fetchval("SELECT id FROM tenant WHERE slug = $1", declaration.settings.slug)
        operators = {}
        for user in sorted(declaration.settings.users, key=lambda user: user.role != "operator"):
            (login,) = await db.gate("find_login", user.email)
            operators[user.email] = Actor(tenant_id, login["user_id"], user.name)
        numbers = {key: UUID(number) for key, number in installation.prepared.numbers.items()}
        declared = {number.key: numbers[number.key] for number in declaration.settings.numbers}
        yield Stage(http, look, Desk(db, wakeup, Approvals(db, wakeup)), declared, operators, KillSwitch(db, wakeup))


async def _read_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )


async def _play(stage: Stage, scripts: Sequence[DemoScript], say: Any) -> list[Played]:
    """First what needs the business open, or is for any hour; then what needs it closed. In the scripts' order."""
    played: dict[str, Played] = {}

    async def play_in_turn(theirs: list[DemoScript], first: Sequence[asyncio.Task[None]]) -> None:
        if first:
            await asyncio.wait(first)
        for script in theirs:
            played[script.name] = await Conversation(stage, script).play()
            mark = "as scripted" if played[script.name].passed else "DIFFERS"
            say(f"  {len(played):2} of {len(scripts)}: {script.name} {mark}")

    for hours in ("open", "closed"):
        chosen_now = [script for script in scripts if (script.hours or "open") == hours]
        if any(script.hours for script in chosen_now):
            await _set_hours(stage, hours)
        tasks = _tasks(chosen_now, play_in_turn)
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return [played[script.name] for script in scripts]


PlayInTurn = Callable[[list[DemoScript], Sequence[asyncio.Task[None]]], Coroutine[Any, Any, None]]


def _tasks(scripts: Sequence[DemoScript], play_in_turn: PlayInTurn) -> list[asyncio.Task[None]]:
    """All at once, but scripts of the same customer one after the other, and those that stop their number when nothing
    else is under way there."""
    customers: dict[tuple[str, str], list[DemoScript]] = {}
    for script in scripts:
        if not script.uses_switch:
            customers.setdefault((script.number, script.contact.phone), []).append(script)
    tasks = {key: asyncio.create_task(play_in_turn(theirs, ())) for key, theirs in customers.items()}
    stopping: dict[str, list[DemoScript]] = {}
    for script in scripts:
        if script.uses_switch:
            stopping.setdefault(script.number, []).append(script)
    last = [
        asyncio.create_task(play_in_turn(theirs, [task for key, task in tasks.items() if key[0] == number]))
        for number, theirs in stopping.items()
    ]
    return [*tasks.values(), *last]


async def _set_hours(stage: Stage, hours: str) -> None:
    """Open the business at any hour of any day, or close it, whatever the clock says."""
    today = datetime.now(UTC).date()
    near = [(today + timedelta(days=ahead)).isoformat() for ahead in range(-1, 3)]
    weekly = {day: ["00:00-23:59"] for day in _WEEKDAYS}
    declared = {"weekly": weekly} if hours == "open" else {"weekly": weekly, "closed_dates": near}
    actor = next(iter(stage.operators.values()))
    await stage.look.execute(
        "UPDATE tenant SET settings = settings || jsonb_build_object('hours', $2::jsonb), "
        "profile_version = profile_version + 1 WHERE id = $1",
        actor.tenant_id,
        declared,
    )


def _transcript(played: Played, business: str) -> Iterator[str]:
    script = played.script
    yield f"── {script.name}: {script.title} · {'as scripted' if played.passed else 'DIFFERS'}"
    for step, seen in zip(script.steps, played.steps, strict=False):
        for message in step.say:
            kind = "" if message.kind == "text" else f"[{message.kind}] "
            yield f"   {script.contact.name}: {kind}{message.text}"
        if step.operator:
            words = f" “{step.operator.text}”" if step.operator.text else ""
            yield f"   operator: {step.operator.do}{words}"
        yield from _happened(seen, business)
        yield from (f"   ✗ {problem}" for problem in seen.problems)


def _happened(seen: StepSeen, business: str) -> Iterator[str]:
    for turn in seen.turns:
        sure = f" {turn.confidence:.2f}" if turn.confidence is not None else ""
        reason = f" ({turn.handoff_reason})" if turn.handoff_reason else ""
        yield f"     → {turn.decision}{reason} · intent {turn.intent}{sure} · {turn.latency_ms:.0f} ms"
        yield from (f"       called {call}" for call in turn.calls)
        yield from (f"       because {because}" for because in turn.reasons)
        if turn.text and turn.text not in seen.received:
            yield f"       text: {_indented(turn.text)}"
    yield from (f"   {business}: {_indented(text)}" for text in seen.received)


def _indented(text: str) -> str:
    return text.replace("\n", "\n     ")
