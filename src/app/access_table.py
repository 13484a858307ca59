"""Who may use which route, read off the application itself: ``python -m app.access_table > docs/access.md``.

Tests compare the file with the application, and the application with the file: every route is called with every role
and with keys of every scope (tests/web/test_access_matrix.py).
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
import tempfile
import textwrap
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from domain.roles import Right, Role, rights_of
from flows.api_keys import SCOPES
from web.access import Needs, visitor
from web.api import Caller

Kind = Literal["page", "api", "platform", "open"]

OPEN: Final[dict[str, str]] = {
    "/": "leads to the first page that the visitor may open",
    "/assets/{digest}/{name:path}": "style sheets, scripts and pictures of the pages",
    "/healthz": "whether this process reaches the database",
    "/login": "signing in",
    "/login/code": "signing in: the second factor",
    "/language": "a cookie with the language",
    "/api/v1/openapi.json": "what the API is like",
    "/api/v1/auth/token": "against e-mail and password",
    "/api/v1/auth/refresh": "against a refresh token",
    "/api/v1/auth/revoke": "ends the token's own sign-in",
    "/webhooks": "gateways' doors: a signature or secret of the number over the raw body",
    "/simulator": "the demo's simulated phones; not there otherwise",
    "/setup": "the first run: only while the installation is empty",
    "/join": "a one-time link that an administrator made",
    "/ws": "a cookie or an access token; only events that the person may see",
}
"""Routes (or beginnings of paths) that ask for no right, and what protects them or why nothing must."""

_ROLES: Final = {
    Role.ADMIN: "admin",
    Role.MANAGER: "manager",
    Role.OPERATOR: "operator",
    Role.PROMPT_ENGINEER: "prompt engineer",
}
_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One method of one route, and who may use it."""

    method: str
    path: str
    kind: Kind
    rights: frozenset[Right]
    in_body: bool
    """Whether a right is asked for in the function itself, hence after the request was read."""

    def allows(self, role: str) -> bool:
        """Whether a person with this role may, signed in (pages) or with an access token (the API)."""
        return self.kind == "open" or (self.kind != "platform" and self.rights <= rights_of(role))


def entries(app: FastAPI) -> list[Entry]:
    """Every route of the application, by path and method."""
    found = []
    for route in iter_route_contexts(app.routes):
        methods = sorted(set(route.methods or ()) - {"HEAD"}) or ["WS"]
        if route.path:
            found += [_entry(method, route.path, route) for method in methods]
    return sorted(found, key=lambda one: (one.path, one.method))


def undeclared(found: list[Entry]) -> list[str]:
    """Routes that neither ask for a right nor stand in ``OPEN``; of signed-in people's own only their account."""
    return [
        f"{one.method} {one.path}"
        for one in found
        if not one.rights
        and (why_open(one.path) is None if one.kind == "open" else one.kind == "page" and not _own(one.path))
    ]


def why_open(path: str) -> str | None:
    """What ``OPEN`` says of the path."""
    return OPEN.get(path) or next(
        (why for start, why in OPEN.items() if path.startswith(f"{start}/") and start != "/"), None
    )


def _own(path: str) -> bool:
    """Routes about the signed-in person alone."""
    return path in {"/logout", "/tenant", "/session", "/signed-in"} or f"{path}/".startswith("/account/")


def _entry(method: str, path: str, route: Any) -> Entry:
    dependant = getattr(route, "dependant", None)
    calls = list(_calls(dependant)) if dependant is not None else []
    declared = {right for call in calls if isinstance(call, Needs) for right in call.rights}
    declared |= {call.right for call in calls if isinstance(call, Caller)}
    asked = set(_asked_in(route.endpoint)) if route.endpoint is not None else set()
    if any(isinstance(call, Needs) and call.platform for call in calls):
        kind: Kind = "platform"
    elif any(isinstance(call, Caller) for call in calls):
        kind = "api"
    elif any(isinstance(call, Needs) or call is visitor for call in calls):
        kind = "page"
    else:
        kind = "open"
    return Entry(method, path, kind, frozenset(declared | asked), in_body=bool(asked - declared))


def _calls(dependant: Any) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def _asked_in(function: Callable[..., Any], depth: int = _DEPTH) -> Iterator[Right]:
    """Rights that the function asks for by ``….need(Right.X)``, itself or through functions that it calls."""
    if depth == 0 or not getattr(function, "__module__", "").startswith("web."):
        return
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return
    scope = inspect.getclosurevars(function)
    names = {**scope.globals, **scope.nonlocals}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr == "need" and node.args:
            right = node.args[0]
            if isinstance(right, ast.Attribute) and hasattr(Right, right.attr):
                yield Right[right.attr]
        elif isinstance(node.func, ast.Name) and inspect.isfunction(called := names.get(node.func.id)):
            yield from _asked_in(called, depth - 1)


def markdown(found: list[Entry]) -> str:
    """The tables, as docs/access.md holds them."""
    roles = " | ".join(_ROLES.values())
    lines = [
        "# Who may do what",
        "",
        "Made by `make access` from the application itself; tests call every route with every role and with keys of",
        "every scope, and compare. ✓: may. A route that somebody may not use answers 403, or 404 as if it were not",
        "there.",
        "",
        "Roles are sets of rights, and a right is also a scope that an API key may have. Which *conversations* a",
        "person sees is another matter: the reach (all, the teams', the own ones) is kept by the database.",
        "",
        "## Rights",
        "",
        f"| right, scope | {roles} | lets |",
        "|---|" + ":-:|" * len(_ROLES) + "---|",
    ]
    lines += [
        f"| `{right}` | {_marks([role for role in _ROLES if right in rights_of(role)])} | {SCOPES[right]} |"
        for right in Right
    ]
    parts: tuple[tuple[Kind, str, str], ...] = (
        ("page", "Pages", "Behind the sign-in; no API key opens them."),
        ("api", "API", "An API key needs the scope; a person's access token carries the rights of the role."),
        ("platform", "Platform", "For platform administrators, whatever their roles; no API key opens them."),
    )
    for kind, title, about in parts:
        rows = [one for one in found if one.kind == kind]
        if rows:
            lines += ["", f"## {title}", "", about, "", f"| route | needs | {roles} |"]
            lines += ["|---|---|" + ":-:|" * len(_ROLES)]
            lines += [
                f"| {_name(one)} | {_needs(one)} | {_marks([r for r in _ROLES if one.allows(r)])} |" for one in rows
            ]
    lines += ["", "## Open", "", "They ask for no right:", "", "| route | because |", "|---|---|"]
    lines += [
        f"| {_name(one)} | {why_open(one.path) or '**nobody said why**'} |" for one in found if one.kind == "open"
    ]
    return "\n".join(lines) + "\n"


def _name(one: Entry) -> str:
    return f"`{one.method} {one.path}`"


def _needs(one: Entry) -> str:
    return ", ".join(f"`{right}`" for right in sorted(one.rights)) or "a sign-in"


def _marks(who: Collection[Role]) -> str:
    return " | ".join("✓" if role in who else "–" for role in _ROLES)


async def table() -> str:
    """The document of this version. Needs no database: nothing is asked of it."""
    from app.settings import GivenSettings  # noqa: PLC0415 - a test that has an application needs no settings
    from app.web_part import application  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        nowhere = f"postgresql://nobody:x@127.0.0.1:1/nowhere?host={folder}"
        settings = GivenSettings(ATENDE_SECRET="x" * 32, DATABASE_URL=nowhere, data_dir=Path(folder), demo=True)
        async with application(settings) as app:
            return markdown(entries(app))


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(table()))


__all__ = ["OPEN", "Entry", "entries", "markdown", "table", "undeclared", "why_open"]
