"""Makes any Python process trust the loopback server: the pinned Noise root key of neonize is swapped in its memory.

Python imports this file by itself when its folder is on PYTHONPATH, so a process of the product, or a whole tree of
them, needs no hook for tests. Nothing happens unless FAKEWA_ROOT_KEY (hex) is set; then the key is swapped right after
neonize has loaded its shared library. The swap reads /proc, so it works on Linux only. Only the standard library may be
imported here.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType

LOADER = "neonize._binder"
"""The module that loads the shared library."""

WHATSAPP_ROOT_KEY = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")
"""The public constant ``WACertPubKey`` of whatsmeow (handshake.go); it occurs once in the shared library."""


def swap_root_key(library: str, key: bytes) -> None:
    """Overwrite the pinned key in this process; it lies in a writable data segment of the loaded ``library``.

    Raises LookupError when the library is not mapped, or does not hold the key exactly once.
    """
    import ctypes  # noqa: PLC0415  # not needed by the processes that never load neonize
    import re  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    image = Path(library).read_bytes()
    offset = image.find(WHATSAPP_ROOT_KEY)
    if offset < 0 or image.find(WHATSAPP_ROOT_KEY, offset + 1) >= 0:
        raise LookupError(f"the pinned root key does not occur exactly once in {library}")
    for line in Path("/proc/self/maps").read_text().splitlines():
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+\s+(.*)", line)
        if found is None or found[5] != library or "w" not in found[3]:
            continue
        start, end, file_offset = int(found[1], 16), int(found[2], 16), int(found[4], 16)
        if file_offset <= offset < file_offset + end - start:
            address = start + offset - file_offset
            if ctypes.string_at(address, 32) == WHATSAPP_ROOT_KEY:
                ctypes.memmove(address, key, 32)
                return
    raise LookupError(f"no writable mapping of {library} holds the pinned root key")


class _SwapAfterLoading(importlib.abc.MetaPathFinder):
    """Finds the loader module as usual, and swaps the key once it has run."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != LOADER:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_then_swap(module: ModuleType) -> None:
            run(module)
            swap_root_key(module.gocode._name, self._key)

        spec.loader.exec_module = run_then_swap  # type: ignore[method-assign]
        return spec


if os.environ.get("FAKEWA_ROOT_KEY"):
    sys.meta_path.insert(0, _SwapAfterLoading(bytes.fromhex(os.environ["FAKEWA_ROOT_KEY"])))
