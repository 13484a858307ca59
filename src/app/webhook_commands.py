"""``atende webhook``: where a tenant's events are sent, from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from flows.outgoing_webhooks import OutgoingWebhooks

commands = typer.Typer(help="Webhooks out: a tenant's events, sent to its own systems.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]
Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.")]
Endpoint = Annotated[UUID, typer.Argument(help="The endpoint's id, as `atende webhook list` shows it.")]


@commands.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to send events, such as https://example.com/hook.")],
    *,
    tenant: Tenant,
    events: Annotated[
        str, typer.Option("--events", help="Separated by commas: message.received, message.* or *.")
    ] = "*",
    description: Annotated[str, typer.Option("--description", help="A word for people.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Add an endpoint and print its signing secret."""

    async def work(hooks: OutgoingWebhooks, tenant_id: UUID) -> list[str]:
        made = await hooks.add(tenant_id, url, events.split(","), description=description)
        return [f"Added the endpoint {made.id}.", f"Its receiver checks signatures with: {made.secret}"]

    _run(tenant, data_dir, work)


@commands.command("list")
def list_all(*, tenant: Tenant, data_dir: DataDir = None) -> None:
    """List the endpoints with what waits and what failed."""

    async def work(hooks: OutgoingWebhooks, tenant_id: UUID) -> list[str]:
        lines = []
        for row in await hooks.all(tenant_id):
            state = f"{row['state']} {row['disabled_reason']}".strip()
            counts = f"{row['waiting']} waiting, {row['failed']} failed"
            lines.append(f"{row['id']}  {state:16}  {counts}  {','.join(row['kinds'])}  {row['url']}")
        return lines or ["There are no endpoints yet. Add one with: atende webhook add URL --tenant SLUG"]

    _run(tenant, data_dir, work)


@commands.command()
def log(
    endpoint: Endpoint,
    *,
    tenant: Tenant,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200)] = 20,
    data_dir: DataDir = None,
) -> None:
    """Show the last deliveries to an endpoint, newest first."""

    async def work(hooks: OutgoingWebhooks, tenant_id: UUID) -> list[str]:
        _, rows = await hooks.log(tenant_id, endpoint, limit=limit)
        return [
            f"{row['id']:>8}  {row['created_at']:%Y-%m-%d %H:%M:%S}  {row['kind']:26}  {row['state']:9}  "
            f"attempt {row['attempts']}  {row['last_status'] or '-'}  {(row['last_error'] or '')[:100]}"
            for row in rows
        ] or ["Nothing was sent there yet."]

    _run(tenant, data_dir, work)


@commands.command()
def replay(
    delivery: Annotated[int, typer.Argument(help="The delivery's number, as `atende webhook log` shows it.")],
    *,
    tenant: Tenant,
    data_dir: DataDir = None,
) -> None:
    """Send a delivery once more, under its old id."""
    _act(tenant, data_dir, lambda hooks, tenant_id: hooks.replay(tenant_id, delivery), "It is sent again.")


@commands.command("test")
def try_out(endpoint: Endpoint, *, tenant: Tenant, data_dir: DataDir = None) -> None:
    """Send a webhook.test to an endpoint."""
    _act(tenant, data_dir, lambda hooks, tenant_id: hooks.test(tenant_id, endpoint), "A test is on its way.")


@commands.command()
def rotate(endpoint: Endpoint, *, tenant: Tenant, data_dir: DataDir = None) -> None:
    """Make a new signing secret; the last one stays valid for a day."""

    async def work(hooks: OutgoingWebhooks, tenant_id: UUID) -> list[str]:
        return [f"The new secret: {await hooks.rotate(tenant_id, endpoint)}", "The last one signs for 24 hours more."]

    _run(tenant, data_dir, work)


@commands.command()
def disable(endpoint: Endpoint, *, tenant: Tenant, data_dir: DataDir = None) -> None:
    """Send nothing to an endpoint for now; what happens meanwhile is kept."""
    _act(tenant, data_dir, lambda hooks, tenant_id: hooks.disable(tenant_id, endpoint), "Disabled.")


@commands.command()
def enable(
    endpoint: Endpoint,
    *,
    tenant: Tenant,
    skip_missed: Annotated[bool, typer.Option("--skip-missed", help="Only what happens from now on.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Send to an endpoint again, beginning with what it missed."""
    _act(
        tenant,
        data_dir,
        lambda hooks, tenant_id: hooks.enable(tenant_id, endpoint, skip_missed=skip_missed),
        "Enabled.",
    )


@commands.command()
def remove(endpoint: Endpoint, *, tenant: Tenant, data_dir: DataDir = None) -> None:
    """Forget an endpoint and its log."""
    _act(tenant, data_dir, lambda hooks, tenant_id: hooks.remove(tenant_id, endpoint), "Removed.")


def _act(
    tenant: str, data_dir: Path | None, action: Callable[[OutgoingWebhooks, UUID], Awaitable[None]], done: str
) -> None:
    async def work(hooks: OutgoingWebhooks, tenant_id: UUID) -> list[str]:
        await action(hooks, tenant_id)
        return [done]

    _run(tenant, data_dir, work)


def _run(tenant: str, data_dir: Path | None, work: Callable[[OutgoingWebhooks, UUID], Awaitable[list[str]]]) -> None:
    from app.numbers import prepared_database, tenants_named  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from flows.outgoing_webhooks import OutgoingWebhooks  # noqa: PLC0415
    from store.wakeup import Wakeup  # noqa: PLC0415

    settings: Any = load_settings(data_dir=data_dir)

    async def run() -> list[str]:
        async with prepared_database(settings) as (url, db):
            tenant_id = (await tenants_named(url, tenant))[0][0]
            wakeup = Wakeup(db)
            try:
                return await work(OutgoingWebhooks(db, wakeup, settings.private_hosts), tenant_id)
            finally:
                await wakeup.close()

    for line in asyncio.run(run()):
        print(line)
