"""``atende bundle``: the life of a tenant's prompt bundles, one command a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.tenant_work import DataDir, Tenant, TenantWork, run_for
from domain.errors import InvalidInputError

if TYPE_CHECKING:
    from flows.bundles import Evidence

commands = typer.Typer(
    help="What the agent runs with: prompts, tools, model, knowledge and thresholds, under one hash.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="BUNDLE", help="The bundle's hash, or its first digits.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept.")]


@commands.command()
def draft(
    folder: Annotated[Path, typer.Argument(help="The tenant's folder, with tenant.yaml in it.")],
    *,
    with_: Annotated[
        str, typer.Option("--with", help="What differs from the folder: a bundle file, prompts, or another folder.")
    ] = ".",
    description: Annotated[str, typer.Option("--description", help="What it is about, for people.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Store a bundle as a draft: nothing changes for customers. Prompts changed without a new version are refused."""
    from app.bundles import draft_bundle  # noqa: PLC0415
    from flows.tenant_files import slug_of  # noqa: PLC0415

    async def work(found: TenantWork) -> list[str]:
        return await draft_bundle(found, folder.absolute(), with_, description)

    run_for(slug_of(folder), data_dir, work)


@commands.command("list")
def list_all(*, tenant: Tenant, data_dir: DataDir = None) -> None:
    """List the bundles, newest first, with what each is at the moment, and the steps so far."""
    from app.bundles import list_bundles  # noqa: PLC0415

    run_for(tenant, data_dir, list_bundles)


@commands.command()
def show(
    name: Name,
    *,
    tenant: Tenant,
    as_json: Annotated[bool, typer.Option("--json", help="The whole bundle, as an eval takes it.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Show what a bundle holds."""
    from app.bundles import show_bundle  # noqa: PLC0415

    run_for(tenant, data_dir, lambda found: show_bundle(found, name, as_json=as_json))


@commands.command()
def diff(
    first: Name,
    second: Annotated[str, typer.Argument(metavar="[OTHER]", help="Another; without it, what is in force.")] = "",
    *,
    tenant: Tenant,
    data_dir: DataDir = None,
) -> None:
    """Show what differs from the first bundle to the other; without another, from what is in force to the first."""
    from app.bundles import diff_bundles  # noqa: PLC0415

    run_for(tenant, data_dir, lambda found: diff_bundles(found, first, second))


@commands.command()
def publish(
    name: Name,
    *,
    tenant: Tenant,
    run: Annotated[Path | None, typer.Option("--run", help="The eval's result: atende eval run --json FILE.")] = None,
    gates: Annotated[Path | None, typer.Option("--gates", help="A gates file that the run must pass.")] = None,
    without_eval: Annotated[bool, typer.Option("--without-eval", help="Needs --reason.")] = False,
    reason: Reason = "",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Although something that it names cannot be had as it was.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Put a bundle in force for all contacts. Needs a passed eval of exactly this bundle, or a reason."""
    from app.bundles import evidence_of, publish_bundle  # noqa: PLC0415

    if without_eval != bool(reason.strip()):
        raise InvalidInputError("--without-eval", "needs --reason, and --reason needs it")
    if run is None and not without_eval:
        raise InvalidInputError("--run", "is needed", hint="Or say --without-eval --reason '…'.")
    evidence = _reasoned(reason) if run is None else evidence_of(run, name, gates)
    run_for(tenant, data_dir, lambda found: publish_bundle(found, name, evidence, anyway=anyway))


@commands.command()
def rollback(
    *,
    tenant: Tenant,
    to: Annotated[str, typer.Option("--to", help="A certain bundle; without it, what ran before.")] = "",
    reason: Reason = "",
    data_dir: DataDir = None,
) -> None:
    """Go back to what was in force before the newest publication, at once and for all contacts."""
    from app.bundles import roll_back  # noqa: PLC0415

    run_for(tenant, data_dir, lambda found: roll_back(found, to, reason))


@commands.command()
def canary(
    name: Name,
    *,
    tenant: Tenant,
    share: Annotated[float, typer.Option("--share", min=0, max=100, help="Per cent of the contacts; 0 ends it.")],
    reason: Reason = "",
    data_dir: DataDir = None,
) -> None:
    """Let a share of the contacts meet a bundle, always the same ones; a greater share only adds some."""
    from app.bundles import run_canary  # noqa: PLC0415

    run_for(tenant, data_dir, lambda found: run_canary(found, name, share / 100, reason))


@commands.command()
def stamp(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder with prompts; without it, the prompts that Atende ships.")
    ] = None,
) -> None:
    """Record the content of prompt versions that are new, so that a change without a new version is noticed."""
    from agent.prompt_versions import record  # noqa: PLC0415
    from agent.prompts import prompts_folder  # noqa: PLC0415

    recorded = record(folder or prompts_folder())
    for line in recorded or ["Nothing is new."]:
        print(line)


def _reasoned(reason: str) -> Evidence:
    from flows.bundles import Evidence  # noqa: PLC0415

    return Evidence(reason=reason)
