"""``atende api-key``: keys for a tenant's own programs."""

from __future__ import annotations

from typing import Annotated

import typer

from app.tenant_work import ACTOR, DataDir, Tenant, TenantWork, run_for

commands = typer.Typer(help="Keys with which a tenant's own programs call the API.", no_args_is_help=True)


@commands.command()
def create(
    *,
    tenant: Tenant,
    name: Annotated[str, typer.Option("--name", help="A word for people: what uses it.")] = "default",
    scopes: Annotated[
        str, typer.Option("--scopes", help="Separated by commas; all of them by default.", show_default=False)
    ] = "",
    days: Annotated[int | None, typer.Option("--days", min=1, help="Valid for so many days.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it, this once."""
    from flows.api_keys import SCOPES, ApiKeys  # noqa: PLC0415

    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()] or list(SCOPES)

    async def work(found: TenantWork) -> list[str]:
        made = await ApiKeys(found.db).create(found.tenant_id, name, wanted, days=days, actor=ACTOR)
        return [
            made.token,
            f"This is the key {name} ({', '.join(wanted)}), shown this once; send it as: Authorization: Bearer …",
        ]

    run_for(tenant, data_dir, work)


@commands.command("list")
def list_all(*, tenant: Tenant, data_dir: DataDir = None) -> None:
    """List the keys: beginning, name, scopes, state and last use."""
    from flows.api_keys import ApiKeys  # noqa: PLC0415

    async def work(found: TenantWork) -> list[str]:
        lines = []
        for row in await ApiKeys(found.db).all(found.tenant_id):
            state = "revoked" if row["revoked_at"] else "in use"
            if not row["revoked_at"] and row["expires_at"]:
                state = f"until {row['expires_at']:%Y-%m-%d}"
            used = f"last used {row['last_used_at']:%Y-%m-%d %H:%M} UTC" if row["last_used_at"] else "never used"
            lines.append(f"{row['id']}  {row['hint']}…  {state:16}  {used}  {','.join(row['scopes'])}  {row['name']}")
        return lines or ["There are no keys yet. Make one with: atende api-key create --tenant SLUG"]

    run_for(tenant, data_dir, work)


@commands.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its id, its name or its beginning, as `atende api-key list` shows it.")],
    *,
    tenant: Tenant,
    data_dir: DataDir = None,
) -> None:
    """Refuse a key from now on."""
    from flows.api_keys import ApiKeys  # noqa: PLC0415

    async def work(found: TenantWork) -> list[str]:
        name = await ApiKeys(found.db).revoke(found.tenant_id, key, actor=ACTOR)
        return [f"The key {name} is refused from now on."]

    run_for(tenant, data_dir, work)
