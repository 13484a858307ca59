"""``atende user``: people who sign in. How an installation gets its first administrator, and how one gets in again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from app.tenant_work import DataDir, settings_for

commands = typer.Typer(help="People who sign in: made, given roles, let in again.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="With what the person signs in.", show_default=False)]
Role = Annotated[str, typer.Option("--role", help="admin, manager, operator or prompt_engineer.")]
MaybeReach = Annotated[
    str | None,
    typer.Option("--reach", help="Which conversations the person sees: all, team or own.", show_default=False),
]
SomeTenant = Annotated[str, typer.Option("--tenant", help="The business's slug.")]
MaybeTenant = Annotated[str | None, typer.Option("--tenant", help="The business's slug.", show_default=False)]


@commands.command()
def create(
    email: Email,
    *,
    name: Annotated[str, typer.Option("--name", help="What the person is called.", show_default=False)] = "",
    tenant: MaybeTenant = None,
    role: Role = "operator",
    reach: MaybeReach = None,
    platform_admin: Annotated[
        bool, typer.Option("--platform-admin", help="Runs the platform: makes and closes businesses.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a person and print the password, this once."""
    from app.users import Place  # noqa: PLC0415
    from app.users import create as make  # noqa: PLC0415

    place = Place(tenant, role, reach) if tenant else None
    _run(data_dir, lambda url: make(url, email=email, name=name, place=place, platform=platform_admin))


@commands.command("list")
def list_all(*, tenant: MaybeTenant = None, data_dir: DataDir = None) -> None:
    """List everybody, or the people of one business."""
    from app.users import listed  # noqa: PLC0415

    _run(data_dir, lambda url: listed(url, tenant))


@commands.command("role")
def give_role(
    email: Email, *, tenant: SomeTenant, role: Role, reach: MaybeReach = None, data_dir: DataDir = None
) -> None:
    """Say what a person is in a business. It counts at once, also for who is signed in."""
    from app.users import Place, give_role  # noqa: PLC0415

    _run(data_dir, lambda url: give_role(url, email, Place(tenant, role, reach)))


@commands.command("password")
def reset_password(email: Email, *, data_dir: DataDir = None) -> None:
    """Give a new password, printed this once, and sign the person out everywhere."""
    from app.users import reset_password  # noqa: PLC0415

    _run(data_dir, lambda url: reset_password(url, email))


@commands.command("platform-admin")
def make_platform_admin(
    email: Email,
    *,
    off: Annotated[bool, typer.Option("--off", help="Take it back.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Let a person run the platform. That shows no business's data: for those, give a role."""
    from app.users import make_platform_admin  # noqa: PLC0415

    _run(data_dir, lambda url: make_platform_admin(url, email, runs=not off))


@commands.command("second-factor")
def remove_second_factor(email: Email, *, data_dir: DataDir = None) -> None:
    """Remove the second factor of a person who lost the phone and the recovery codes."""
    from app.users import remove_second_factor  # noqa: PLC0415

    _run(data_dir, lambda url: remove_second_factor(url, email))


def _run(data_dir: Path | None, work: Callable[[str], Awaitable[list[str]]]) -> None:
    from app.administration import open_database  # noqa: PLC0415

    async def run() -> list[str]:
        async with open_database(settings_for(data_dir)) as (url, _):
            return await work(url)

    for line in asyncio.run(run()):
        print(line)
