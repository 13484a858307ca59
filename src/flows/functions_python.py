"""Functions in Python: made callable from the tenant folders that hold their code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.functions import FOLDER_SOURCE, Holdings
from flows.tenant_files import load_functions
from store.functions import FunctionRow
from tools.declaration import BusinessFunction


class PythonFunctions:
    """Functions in Python, from tenant folders that the installation's owner allows to hold code."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def functions(self, rows: Sequence[FunctionRow], holdings: Holdings) -> Mapping[str, BusinessFunction]:  # noqa: ARG002 - the protocol's
        """See FunctionSource."""
        found: dict[str, BusinessFunction] = {}
        for folder in {row.source.removeprefix(FOLDER_SOURCE) for row in rows if row.source.startswith(FOLDER_SOURCE)}:
            path = Path(folder).resolve()
            # The row is data; only folders that the installation names may hold code.
            if any(path.is_relative_to(allowed.resolve()) for allowed in self._folders):
                found |= load_functions(path)
        return {row.name: found[row.name] for row in rows if row.name in found}
