"""The connections of a session host, as the flow of people's requests asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from channels.whatsapp.devices import DeviceStore
    from channels.whatsapp.neonize_channel import NeonizeChannel
    from channels.whatsapp.session_host import SessionHost


class HeldConnections:
    """Fulfils ``flows.session_requests.Connections``."""

    def __init__(self, host: SessionHost, channel: NeonizeChannel, devices: DeviceStore) -> None:
        self._host, self._channel, self._devices = host, channel, devices

    async def restart(self, session_id: str) -> bool:
        """See Connections."""
        return await self._host.restart(session_id)

    async def let_go(self, session_id: str) -> None:
        """See Connections."""
        await self._host.let_go(session_id)

    async def unlink(self, session_id: str) -> bool:
        """See Connections."""
        return await self._host.unlink(session_id)

    async def forget_keys(self, account: str) -> None:
        """See Connections."""
        await self._devices.forget(account)

    async def pairing_code(self, session_id: str, phone: str) -> str:
        """See Connections."""
        return await self._channel.pairing_code(session_id, phone)

    def is_ready(self, session_id: str) -> bool:
        """See Connections."""
        return session_id in self._channel.ready

    def shows_code(self, session_id: str) -> bool:
        """See Connections."""
        return self._channel.shows_code(session_id)

    def has_ended(self, session_id: str) -> bool:
        """See Connections."""
        return session_id in self._channel.ended
