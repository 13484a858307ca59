"""The state of channel sessions: what providers report about a number's connection."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from channels.base import SessionChanged
from domain.messages import SessionStatus
from store import events
from store.database import Connection

QR_LIFETIME = timedelta(seconds=60)


async def record_status(tx: Connection, tenant_id: UUID, session_id: UUID, change: SessionChanged) -> None:
    """Write the newest status (and QR code) of a number and tell everybody who looks at it."""
    await tx.execute(
        """UPDATE channel_session
              SET status = $2, status_detail = $3, status_at = $4, account = coalesce($5, account),
                  qr = $6, qr_expires_at = $7
            WHERE id = $1""",
        session_id,
        change.status.value,
        change.detail,
        change.at,
        change.account,
        change.qr,
        change.at + QR_LIFETIME if change.qr else None,
    )
    await events.append(
        tx,
        tenant_id,
        "session.status",
        payload={
            "channel_session_id": str(session_id),
            "status": change.status.value,
            "detail": change.detail,
            "has_qr": change.status is SessionStatus.AWAITING_QR and change.qr is not None,
        },
    )
