"""What somebody chose for an import and nothing came of: a slip in a name must not pass for a choice.

A parameter that was to be bound to the context and is not would be filled by a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tools.http_declaration import Part


def unmet(
    named: Iterable[str], binds: Mapping[str, str], functions: Mapping[str, Sequence[Part]]
) -> list[tuple[str, str]]:
    """What is ``named`` and no function, and what ``binds`` (``parameter`` or ``function:parameter``) bound nowhere.

    ``functions``: those imported, with their requests' parts.
    """
    found = [(name, "there is no such function") for name in sorted(set(named) - functions.keys())]
    for key in sorted(binds):
        function, _, parameter = key.rpartition(":")
        parts = [part for name, own in functions.items() if function in {"", name} for part in own]
        if not any(_is_bound(part, parameter) for part in parts):
            found.append((key, "nothing was bound: no imported function has such a parameter"))
    return found


def _is_bound(part: Part, parameter: str) -> bool:
    # Some requests carry all arguments below a key of their own.
    paths = {part.name, ".".join(part.path), ".".join(part.path[1:])}
    return part.bind is not None and parameter in paths
