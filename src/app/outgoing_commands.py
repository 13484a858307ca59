"""``atende outgoing``: what waits to be sent and why. ``atende session pace``: how fast a number may send."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from app.tenant_work import ACTOR, DataDir, Tenant, TenantWork, run_for

commands = typer.Typer(help="Messages on their way out: what waits, and why.", no_args_is_help=True)


@commands.command("list")
def list_all(
    *,
    tenant: Tenant,
    state: Annotated[
        str, typer.Option("--state", help="Separated by commas: queued, sending, unknown, sent, failed, cancelled.")
    ] = "queued,sending,unknown",
    number: Annotated[UUID | None, typer.Option("--number", help="Only of this number.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List them, oldest first: state, what it waits for and until when, to whom."""
    from flows.outgoing import OutgoingMessages  # noqa: PLC0415

    async def work(found: TenantWork) -> list[str]:
        states = [one.strip() for one in state.split(",") if one.strip()]
        rows = await OutgoingMessages(found.db, found.wakeup).list(found.tenant_id, states=states, number=number)
        lines = []
        for row in rows:
            until = f" until {row.waits_until:%Y-%m-%d %H:%M:%S} UTC" if row.waits_until else ""
            why = f"{row.waits_for}{until}" if row.waits_for else row.ack or "-"
            lines.append(f"{row.id}  {row.state:9}  {why:45}  {row.origin:8}  {row.number}  {row.contact}")
        return lines or ["Nothing waits."]

    run_for(tenant, data_dir, work)


@commands.command()
def settle(
    message: Annotated[UUID, typer.Argument(help="Its id, as `atende outgoing list` shows it.")],
    outcome: Annotated[str, typer.Argument(help="arrived or send_again, after a look at the phone.")],
    *,
    tenant: Tenant,
    data_dir: DataDir = None,
) -> None:
    """Say what became of a message whose outcome is unknown."""
    from flows.outgoing import OutgoingMessages  # noqa: PLC0415

    if outcome not in {"arrived", "send_again"}:
        raise typer.BadParameter("must be arrived or send_again", param_hint="OUTCOME")

    async def work(found: TenantWork) -> list[str]:
        outgoing = OutgoingMessages(found.db, found.wakeup)
        await outgoing.settle(found.tenant_id, message, arrived=outcome == "arrived", actor=ACTOR)
        return ["Noted: it arrived." if outcome == "arrived" else "It will be sent again."]

    run_for(tenant, data_dir, work)


def pace(
    number: Annotated[UUID, typer.Argument(help="The number's id, as `atende session list` shows it.")],
    *,
    tenant: Tenant,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", help="messages_per_minute=10, new_contacts_per_day=unlimited … (repeatable)."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Show how fast a number may send, or set it; an empty value takes a setting back."""
    from flows.number_pace import change_pace, pace_lines  # noqa: PLC0415

    pairs = [text.partition("=") for text in given or []]
    if any(not equals for _, equals, _ in pairs):
        raise typer.BadParameter("write name=value", param_hint="--set")
    wishes = {name.strip(): value for name, _, value in pairs}

    async def work(found: TenantWork) -> list[str]:
        if wishes:
            await change_pace(found.db, found.tenant_id, number, wishes, actor=ACTOR)
        return await pace_lines(found.db, found.tenant_id, number)

    run_for(tenant, data_dir, work)
