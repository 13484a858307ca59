"""Which contacts meet a bundle that is tried on a share of them."""

from __future__ import annotations

import hashlib
from uuid import UUID


def place_of(tenant_id: UUID, contact_id: UUID) -> float:
    """Where in [0, 1) a contact stands among the tenant's: for good, and as evenly spread as a hash is."""
    digest = hashlib.sha256(b"canary " + tenant_id.bytes + contact_id.bytes).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
