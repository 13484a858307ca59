"""Groups: who is in them, and what clients ask about them. Their messages go the way of all others (``relay``)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .accounts import Account, Directory, Picture
from .nodes import JID, LID, Node

GROUP = "g.us"


@dataclass(eq=False)
class Group:
    """A group that names its members by LID, as new groups do."""

    jid: JID
    subject: str
    members: list[Account] = field(default_factory=list)
    created: int = field(default_factory=lambda: int(time.time()))
    picture: Picture | None = None

    def described(self) -> Node:
        """As clients read it."""
        owner = JID(self.members[0].lid, LID)
        people = [
            Node(
                "participant",
                {
                    "jid": JID(member.lid, LID),
                    "phone_number": JID(member.phone),
                    "type": "superadmin" if member is self.members[0] else None,
                },
            )
            for member in self.members
        ]
        head = {
            "id": self.jid.user,
            "subject": self.subject,
            "creator": owner,
            "creation": str(self.created),
            "s_t": str(self.created),
            "s_o": owner,
            "size": str(len(people)),
            "addressing_mode": "lid",
        }
        return Node("group", head, people)


class Groups:
    """All groups of the server. ``queries`` counts who asked about one."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._by_id: dict[str, Group] = {}
        self.queries = 0

    def create(self, subject: str, *phones: str) -> Group:
        """A group of these phone numbers; the first made it."""
        group = Group(JID(f"12036300000000{len(self._by_id):04}", GROUP), subject)
        group.members = [self._directory.account(phone) for phone in phones]
        self._by_id[group.jid.user] = group
        return group

    def find(self, jid: JID) -> Group | None:
        return self._by_id.get(jid.user) if jid.server == GROUP else None

    def rename(self, group: Group, subject: str) -> None:
        """What its maker does; every member's devices are told."""
        group.subject = subject
        at, by = str(int(time.time())), JID(group.members[0].lid, LID)
        change = Node("subject", {"subject": subject, "s_t": at, "s_o": by})
        for device in [device for member in group.members for device in member.devices.values()]:
            head = {"from": group.jid, "participant": by, "type": "w:gp2", "id": f"rename-{at}", "t": at}
            device.push(Node("notification", head, [change]))

    def answer(self, node: Node) -> list[Node]:
        """What a client gets that asks about a group."""
        self.queries += 1
        group = self.find(node.jid("to"))
        return [group.described()] if group and node.child("query") else []
