"""``atende functions``: what a tenant's agent can do in the tenant's own systems, from the command line."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from domain.errors import InvalidInputError

if TYPE_CHECKING:
    from app.functions import Counter
    from tools.declaration import Effect

commands = typer.Typer(help="Business functions: import, list, trust and try them.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]
Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.")]
Name = Annotated[str, typer.Argument(help="The function's name, as `atende functions list` shows it.")]
Pairs = list[str] | None


@commands.command("import")
def import_document(
    origin: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL",
            help="OpenAPI 3.0/3.1, a list of OpenAI tools, or an MCP server: mcp+https://…, mcp+stdio:PROGRAM.",
        ),
    ],
    *,
    tenant: Tenant,
    trust_writes: Annotated[bool, typer.Option("--trust-writes", help="Its writes need no approval.")] = False,
    server: Annotated[str, typer.Option("--server", help="Call this address instead of the document's.")] = "",
    server_variable: Annotated[Pairs, typer.Option("--server-variable", help="NAME=VALUE (repeatable).")] = None,
    endpoint: Annotated[str, typer.Option("--endpoint", help="Where tools are called; {name} is the tool's.")] = "",
    prefix: Annotated[str, typer.Option("--prefix", help="Put before every name.")] = "",
    bind: Annotated[
        Pairs, typer.Option("--bind", help="PARAMETER=contact.phone: the context fills it (repeatable).")
    ] = None,
    effect: Annotated[Pairs, typer.Option("--effect", help="FUNCTION=read or write (repeatable).")] = None,
    only: Annotated[Pairs, typer.Option("--only", help="Just this function (repeatable).")] = None,
    secret: Annotated[
        Pairs, typer.Option("--secret", help="Of an MCP server: bearer, HEADER or VARIABLE=NAME.")
    ] = None,
    idempotent: Annotated[
        Pairs, typer.Option("--idempotent", help="This MCP tool knows a repeated call again.")
    ] = None,
    trust_hints: Annotated[
        bool, typer.Option("--trust-hints", help="Believe an MCP server about what only reads.")
    ] = False,
    sign: Annotated[bool, typer.Option("--sign", help="Sign requests as Standard Webhooks does.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Import functions over HTTP or of an MCP server; importing again brings them up to date."""
    from app.functions import import_functions, import_mcp  # noqa: PLC0415
    from app.mcp_functions import ORIGIN  # noqa: PLC0415
    from flows.functions_mcp import McpChoices  # noqa: PLC0415
    from tools.openapi import ImportChoices  # noqa: PLC0415

    effects = _pairs("--effect", effect)
    if wrong := sorted(set(effects.values()) - {"read", "write"}):
        raise InvalidInputError("--effect", f"{', '.join(wrong)} is none", hint="It may be read or write.")
    if origin.startswith(ORIGIN):
        tools = McpChoices(
            prefix=prefix,
            binds=_pairs("--bind", bind),
            effects=cast("dict[str, Effect]", effects),
            only=frozenset(only or ()),
            idempotent=frozenset(idempotent or ()),
            trust_writes=trust_writes,
            trust_hints=trust_hints,
        )
        _run(tenant, data_dir, lambda at: import_mcp(at, origin, _pairs("--secret", secret), tools))
        return
    choices = ImportChoices(
        server=server,
        variables=_pairs("--server-variable", server_variable),
        prefix=prefix,
        binds=_pairs("--bind", bind),
        effects=cast("dict[str, Effect]", effects),
        only=frozenset(only or ()),
        sign=sign,
    )
    _run(
        tenant,
        data_dir,
        lambda at: import_functions(at, origin, choices, endpoint=endpoint, trust_writes=trust_writes),
    )


@commands.command("list")
def list_all(*, tenant: Tenant, data_dir: DataDir = None) -> None:
    """List functions, the secrets they need and the private hosts they may reach."""
    from app.functions import listed  # noqa: PLC0415

    _run(tenant, data_dir, listed)


@commands.command()
def show(name: Name, *, tenant: Tenant, data_dir: DataDir = None) -> None:
    """Show a function: what a model sees of it, and what is called."""
    from app.functions import shown  # noqa: PLC0415

    _run(tenant, data_dir, lambda at: shown(at, name))


@commands.command("try")
def try_out(
    name: Name,
    *,
    tenant: Tenant,
    arguments: Annotated[str, typer.Option("--arguments", help="A JSON object.")] = "{}",
    phone: Annotated[str, typer.Option("--phone", help="The contact's phone, digits with country code.")] = "",
    really: Annotated[bool, typer.Option("--really", help="Call it although it writes.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Call a function once, outside any conversation, and show what comes back."""
    from app.functions import tried  # noqa: PLC0415
    from flows.functions_desk import Person  # noqa: PLC0415

    person = Person((f"phone:{phone.lstrip('+')}",) if phone else ())
    _run(tenant, data_dir, lambda at: tried(at, name, arguments, person, really=really))


@commands.command()
def trust(
    name: Name,
    *,
    tenant: Tenant,
    intent: Annotated[Pairs, typer.Option("--intent", help="Only where this intent asks for it (repeatable).")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="It asks a person again.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Let a function that writes act without a person's approval."""
    done = f"{name} asks a person again." if revoke else f"{name} is trusted."
    _act(
        tenant,
        data_dir,
        lambda at: at.desk.trust(at.tenant_id, name, trusted=not revoke, intents=tuple(intent or ())),
        done,
    )


@commands.command("require-identity")
def require_identity(
    name: Name,
    *,
    tenant: Tenant,
    revoke: Annotated[bool, typer.Option("--revoke", help="It runs for everybody again.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Let a function run only for contacts who have proven who they are (tenant.yaml, identity)."""
    done = f"{name} runs for everybody." if revoke else f"{name} runs only for who has proven who they are."
    _act(tenant, data_dir, lambda at: at.desk.require_identity(at.tenant_id, name, required=not revoke), done)


@commands.command()
def remove(name: Name, *, tenant: Tenant, data_dir: DataDir = None) -> None:
    """Forget a function; what it did stays recorded."""
    _act(tenant, data_dir, lambda at: at.desk.remove(at.tenant_id, name), f"{name} is removed.")


@commands.command("set-secret")
def set_secret(
    name: Annotated[str, typer.Argument(help="The secret's name, as the import printed it.")],
    *,
    tenant: Tenant,
    from_env: Annotated[str, typer.Option("--from-env", help="Read it from this environment variable.")] = "",
    generate: Annotated[bool, typer.Option("--generate", help="Make a signing secret and print it once.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Forget the secret.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Store a key or password, sealed. It is read from the terminal or standard input, never from the command line."""
    if delete:
        _act(tenant, data_dir, lambda at: at.desk.remove_secret(at.tenant_id, name), f"The secret {name} is gone.")
        return
    value, shown_once = _value(name, from_env, generate=generate)
    lines = f"The secret {name} is stored." + (f"\nIts receiver checks with: {value}" if shown_once else "")
    _act(tenant, data_dir, lambda at: at.desk.set_secret(at.tenant_id, name, value), lines)


@commands.command("allow-host")
def allow_host(
    host: Annotated[str, typer.Argument(help="NAME or NAME:PORT without a public address.")],
    *,
    tenant: Tenant,
    revoke: Annotated[bool, typer.Option("--revoke", help="It may not be reached any more.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Let the tenant's functions reach a host of your own network, also without TLS."""

    async def work(at: Counter) -> list[str]:
        named = await at.desk.allow_host(at.tenant_id, host, allowed=not revoke)
        return [f"{named} may {'no longer ' if revoke else ''}be reached."]

    _run(tenant, data_dir, work)


def _value(name: str, from_env: str, *, generate: bool) -> tuple[str, bool]:
    if generate:
        from tools.signing import new_secret  # noqa: PLC0415

        return new_secret(), True
    if from_env:
        return os.environ.get(from_env, ""), False
    if sys.stdin.isatty():
        return getpass.getpass(f"{name}: "), False
    return sys.stdin.read().strip("\r\n"), False


def _pairs(option: str, given: Pairs) -> dict[str, str]:
    found = {}
    for one in given or ():
        name, mark, value = one.partition("=")
        if not mark or not name or not value:
            raise InvalidInputError(option, f"{one!r} is no NAME=VALUE")
        found[name] = value
    return found


def _act(tenant: str, data_dir: Path | None, action: Callable[[Counter], Awaitable[None]], done: str) -> None:
    async def work(at: Counter) -> list[str]:
        await action(at)
        return [done]

    _run(tenant, data_dir, work)


def _run(tenant: str, data_dir: Path | None, work: Callable[[Counter], Awaitable[list[str]]]) -> None:
    from app.functions import counter  # noqa: PLC0415
    from app.logs import configure_logging  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings: Any = load_settings(data_dir=data_dir)
    configure_logging("atende", settings.log_level)

    async def run() -> list[str]:
        async with counter(settings, tenant) as at:
            return await work(at)

    for line in asyncio.run(run()):
        print(line)
