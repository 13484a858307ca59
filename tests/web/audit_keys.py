"""What the payloads of the audit trail's events call their fields, read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from store.event_families import AUDIT_FAMILIES


def audited_keys(sources: Path) -> dict[str, str]:
    """Each name of a field with a place that writes it: of functions that append an event of the audit trail."""
    found: dict[str, str] = {}
    for file in (*sorted((sources / "flows").glob("*.py")), *sorted((sources / "app").glob("*.py"))):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _audits(function):
                found |= dict.fromkeys(_keys(function), f"{file.name}:{function.name}")
    return found


def _audits(function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.partition(".")[0] in AUDIT_FAMILIES
        and node.value.partition(".")[2].isidentifier()
        for node in ast.walk(function)
    )


def _keys(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id in {"payload", "changes"}
            and isinstance(node.slice, ast.Constant)
        ):
            yield str(node.slice.value)
