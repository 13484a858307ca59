"""The clients' requests (``iq``): keys, devices, settings. Requests nobody answers here get an empty result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from . import media
from .accounts import Directory
from .connection import Connection
from .groups import Groups
from .login import hand_over
from .nodes import JID, LID, SERVER, Node
from .pairing import CODE_FINISHED, Pairing

_PRIVACY = ("groupadd", "last", "status", "profile", "readreceipts", "online", "calladd")


class Answer(NamedTuple):
    content: list[Node] | None = None
    kind: str = "result"
    then: Callable[[], None] | None = None
    """Done after the answer was sent."""


class Requests:
    """Answers the requests of clients. ``unanswered`` counts those that got an empty result, for a test to look at."""

    def __init__(self, directory: Directory, pairing: Pairing, groups: Groups) -> None:
        self._directory, self._pairing, self._groups = directory, pairing, groups
        self.unanswered: Counter[str] = Counter()
        self.claimed_prekeys = 50
        """Claimed at a first login, so that clients upload 50 prekeys instead of 812, which takes seconds."""
        self._answers: dict[str, Callable[[Connection, Node], Answer]] = {
            "w:p": lambda _client, _node: Answer(),
            "passive": self._passive,
            "encrypt": self._encrypt,
            "usync": self._usync,
            "privacy": self._privacy,
            "blocklist": lambda _client, _node: Answer([Node("list", {"dhash": "0"}, [])]),
            "w:sync:app:state": self._app_state,
            "w:m": self._media,
            "md": self._multi_device,
            "w:g2": lambda _client, node: Answer(self._groups.answer(node)),
            "w:profile:picture": self._picture,
        }

    def accept(self, client: Connection, node: Node) -> None:
        if node.text("type") in ("result", "error"):
            client.answer(node.text("id"), node)
            return
        handler = self._answers.get(node.text("xmlns"))
        if handler is None:
            first = node.children[0].tag if node.children else ""
            self.unanswered[f"{node.text('xmlns')}/{node.text('type')}/{first}"] += 1
        answer = handler(client, node) if handler else Answer()
        head = {"from": node.attrs.get("to") or SERVER, "id": node.text("id"), "type": answer.kind}
        client.send(Node("iq", head, answer.content))
        if answer.then:
            answer.then()

    def _passive(self, client: Connection, node: Node) -> Answer:
        return Answer(then=lambda: hand_over(client)) if node.child("active") else Answer()

    def _encrypt(self, client: Connection, node: Node) -> Answer:
        if node.child("count"):
            left = len(client.peer.keys.prekeys) or self.claimed_prekeys
            return Answer([Node("count", {"value": str(left)})])
        if node.child("list"):
            keys = client.peer.keys
            keys.registration, keys.identity = node.data("registration"), node.data("identity")
            keys.signed_prekey = node.need("skey")
            keys.prekeys.update((key.data("id"), key) for key in node.within("list"))
            return Answer()
        if node.child("key"):
            return Answer([Node("list", {}, [self._keys_of(user.jid("jid")) for user in node.within("key")])])
        return Answer()

    def _keys_of(self, jid: JID) -> Node:
        device = self._directory.find_device(jid)
        if device is None:
            return Node("user", {"jid": jid}, [Node("error", {"code": "404", "text": "item-not-found"})])
        keys = device.keys
        content = [Node("registration", {}, keys.registration), Node("type", {}, b"\x05")]
        content += [Node("identity", {}, keys.identity), keys.signed_prekey]
        if keys.prekeys:
            content.append(keys.prekeys.popitem(last=False)[1])
        return Node("user", {"jid": jid}, content)

    def _usync(self, _client: Connection, node: Node) -> Answer:
        query = node.need("usync")
        wanted = [part.tag for part in query.within("query")]
        users = [self._user(user, wanted) for user in query.within("list")]
        result = [Node("result", {}, [Node(tag) for tag in wanted]), Node("list", {}, users)]
        return Answer([Node("usync", query.attrs, result)])

    def _user(self, asked: Node, wanted: list[str]) -> Node:
        number = asked.data("contact").decode().lstrip("+").split("@")[0]
        jid = asked.jid("jid") if "jid" in asked.attrs else JID(number)
        account = self._directory.find(jid)
        found: list[Node] = []
        if "contact" in wanted:
            found.append(Node("contact", {"type": "in" if account else "out"}, asked.data("contact") or None))
        if account and "devices" in wanted:
            devices = [Node("device", {"id": str(n), "key-index": str(n)}) for n in account.devices]
            found.append(Node("devices", {}, [Node("device-list", {"hash": "2:test"}, devices)]))
        if account and "lid" in wanted:
            found.append(Node("lid", {"val": JID(account.lid, LID)}))
        if account and "status" in wanted:
            found.append(Node("status", {}, b""))
        return Node("user", {"jid": jid}, found)

    def _privacy(self, _client: Connection, node: Node) -> Answer:
        if node.child("tokens"):
            return Answer()
        return Answer([Node("privacy", {}, [Node("category", {"name": n, "value": "all"}) for n in _PRIVACY])])

    def _app_state(self, _client: Connection, node: Node) -> Answer:
        collections = [
            Node(
                "collection",
                {"name": c.text("name"), "version": c.text("version", "0"), "has_more_patches": "false"},
            )
            for c in node.within("sync")
        ]
        return Answer([Node("sync", {}, collections)])

    def _media(self, _client: Connection, _node: Node) -> Answer:
        head = {"auth": media.AUTH, "ttl": "300", "auth_ttl": "21600", "max_buckets": "12"}
        return Answer([Node("media_conn", head, [Node("host", {"hostname": media.HOST})])])

    def _picture(self, _client: Connection, node: Node) -> Answer:
        """The picture's id and address, unless the client names the id that it has already."""
        target = node.jid("target")
        account = self._groups.find(target) or self._directory.find(target)
        known = node.child("picture")
        if account is None or account.picture is None:
            return Answer([Node("error", {"code": "404", "text": "item-not-found"})], "error")
        if known is not None and known.text("id") == account.picture.id:
            return Answer()
        head = {"id": account.picture.id, "type": "preview", "url": account.picture.url, "direct_path": "/picture"}
        return Answer([Node("picture", head)])

    def _multi_device(self, client: Connection, node: Node) -> Answer:
        link = node.child("link_code_companion_reg")
        if link and link.text("stage") == "companion_hello":
            return Answer([self._pairing.offer_code(client, link)])
        if link and link.text("stage") == "companion_finish":
            return Answer(then=lambda: client.answer(CODE_FINISHED, link))
        if node.child("remove-companion-device"):
            device = client.peer
            self._directory.account(device.jid.user).devices.pop(device.jid.device, None)
        return Answer()
