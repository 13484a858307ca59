"""Checks what a tenant folder says about proving identities."""

from __future__ import annotations

from collections.abc import Mapping

from flows.declared_files import FileReader
from flows.tenant_declaration import TenantSettings
from tools.declaration import BusinessFunction

_FILE = "tenant.yaml"


def check_identity(
    reader: FileReader,
    settings: TenantSettings,
    functions: Mapping[str, BusinessFunction],
    intents: Mapping[str, str | None],
) -> None:
    """``intents``: the function that serves each. Mistakes are noted with the reader."""
    declared = settings.identity
    needing = sorted(name for name, function in functions.items() if function.needs_identity)
    if declared is None:
        if needing:
            todo = "Declare identity.verify: the function that decides."
            reader.problem(_FILE, "identity", f"is missing, but {', '.join(needing)} requires it.", todo)
        return
    for name in declared.functions:
        if name not in functions:
            reader.problem(_FILE, "identity.functions", f"there is no function {name}.", "Correct it, or remove it.")
    verify = functions.get(declared.verify)
    if verify is None:
        reader.problem(_FILE, "identity.verify", f"there is no function {declared.verify}.", "Correct the name.")
    elif verify.effect != "read" or not any(parameter.required for parameter in verify.parameters):
        what = f"{declared.verify} must read, and need at least one value of the customer's."
        reader.problem(_FILE, "identity.verify", what, "Take another function, or change it.")
    elif declared.verify in {*declared.functions, *needing}:
        reader.problem(_FILE, "identity.verify", f"{declared.verify} would need itself.", "Remove it from those.")
    for intent, function in intents.items():
        if function == declared.verify:
            todo = "Serve the intent by another function: this one is called by itself where it is needed."
            reader.problem(_FILE, "identity.verify", f"{function} serves the intent {intent} too.", todo)
