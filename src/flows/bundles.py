"""The life of a tenant's prompt bundles: drafted, published, gone back to, and tried on a share of the contacts.

A published bundle is written into the tenant's rows, from which every worker reads: there is one truth, and settings,
imports and the API go on working on it. A canary is laid over those rows in memory, for its share only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from agent.bundle import PARTS, bundle_parts, hash_of_parts, part_hashes
from agent.encoder import Encoder
from domain.errors import AtendeError, ConflictError, InvalidInputError, NotFoundError
from domain.told import Told
from flows.bundle_content import BundleContent
from flows.bundle_difference import differences
from flows.bundle_writing import prepared, write_content
from flows.functions import FOLDER_SOURCE
from flows.knowledge_snapshot import MOST_CHUNKS
from flows.live_tenant import LiveTenant
from flows.profiles import Profiles
from store import bundles, events
from store.bundles import IN_FORCE
from store.database import Connection, Database, Row
from store.knowledge_documents import ADDED
from store.profile_version import bump
from store.wakeup import EVENTS, PROFILES, Wakeup

Kind = Literal["published", "rolled_back"]


class NotEvaluatedError(AtendeError):
    """A bundle without a passed eval of exactly this content."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"The bundle {name} is not published: {problem}.",
            hint="Run: atende eval run SUITE --bundle … --json run.json, then publish with --run run.json. "
            "Or say --without-eval with a reason, which is kept.",
        )
        self.hash = name
        self.problem = problem


class NotRestorableError(ConflictError):
    """Something that the bundle names is not there any more; ``parts`` would come out otherwise."""

    def __init__(self, name: str, parts: tuple[str, ...]) -> None:
        super().__init__(
            f"The bundle {name} cannot be had as it was: its {' and '.join(parts)} would be others.",
            hint="Code of functions, Atende's fixed texts and the installation's model are no part of a bundle. "
            "Functions in Python run only where ATENDE_TENANT_FOLDERS holds their folder. Draft anew from what there "
            "is now; publishing it all the same takes --anyway.",
        )
        self.hash = name
        self.parts = parts


class TakesAwayError(ConflictError):
    """The bundle comes from a folder, and lacks what the tenant has from elsewhere; publishing would remove it."""

    def __init__(self, name: str, things: tuple[str, ...]) -> None:
        super().__init__(
            f"The bundle {name} lacks what the tenant has from elsewhere: {', '.join(things)}.",
            hint="Bring it into the folder and draft anew, or say --anyway; rolling back restores it.",
        )
        self.hash = name
        self.things = things


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a publication: a passed eval of the hash, or a person's reason for doing without one."""

    evaluated: str = ""
    """Hash of the bundle that passed."""
    run: Mapping[str, Any] | None = None
    """Of that run: suites, mode, cases, when."""
    reason: str = ""

    def check(self, name: str) -> None:
        """Raises NotEvaluatedError."""
        if self.reason.strip():
            return
        if self.run is None:
            raise NotEvaluatedError(name, Told("no_eval", "no eval was shown"))
        if self.evaluated != name:
            raise NotEvaluatedError(
                name,
                Told("other_eval", "the eval was of another bundle, {other}", other=self.evaluated or "unnamed"),
            )

    def kept(self) -> dict[str, Any]:
        """As it is written down."""
        return {"run": dict(self.run)} if self.run and not self.reason else {"without_eval": self.reason.strip()}


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A bundle as people see it. ``state``: ``in force``, ``canary 10 %``, ``draft``, or ``""``."""

    hash: str
    description: str
    parts: Mapping[str, str]
    state: str
    created_by: str
    created_at: datetime
    first_used_at: datetime | None


class BundleDesk:
    """What people do with bundles. Everything takes effect in all workers without a restart."""

    def __init__(self, db: Database, wakeup: Wakeup, profiles: Profiles, encoder: Encoder) -> None:
        self._db = db
        self._wakeup = wakeup
        self._profiles = profiles
        self._encoder = encoder

    async def draft(
        self,
        tenant_id: UUID,
        content: BundleContent,
        documents: Mapping[str, tuple[str, list[Any]]],
        *,
        description: str,
        actor: str,
    ) -> tuple[str, bool]:
        """Store a bundle; its hash, and whether it is new. ``documents``: those of its snapshot, by digest."""
        parts = part_hashes(content.contents)
        name = hash_of_parts(parts)
        async with self._db.transaction(tenant_id) as tx:
            await bundles.keep_documents(tx, tenant_id, documents)
            new = await bundles.put(
                tx, tenant_id, name, content.to_json(), parts=parts, description=description, created_by=actor
            )
            await events.append(tx, tenant_id, "bundle.drafted", payload={"hash": name}, actor=actor)
        self._wakeup.signal(EVENTS)
        return name, new

    async def listed(self, tenant_id: UUID, limit: int = 50) -> list[StoredBundle]:
        """The newest bundles, with what each is at the moment."""
        in_force = await self.in_force(tenant_id)
        async with self._db.transaction(tenant_id) as tx:
            rows = await bundles.listed(tx, limit)
            canary = await bundles.canary(tx)
        return [_shown(row, in_force, canary) for row in rows]

    async def releases(self, tenant_id: UUID) -> list[Row]:
        """Every step so far, newest first."""
        async with self._db.transaction(tenant_id) as tx:
            return await bundles.releases(tx)

    async def in_force(self, tenant_id: UUID) -> str:
        """Hash of what the tenant's rows are now, published or not."""
        return _hash(await self._profiles.live(tenant_id))

    async def content(self, tenant_id: UUID, beginning: str) -> tuple[Row, BundleContent]:
        """The bundle whose hash begins so. Raises NotFoundError or InvalidInputError."""
        async with self._db.transaction(tenant_id) as tx:
            return await _one(tx, beginning)

    async def documents(self, tenant_id: UUID, content: BundleContent) -> Mapping[str, Row]:
        """(title, chunks) of the bundle's documents by digest."""
        async with self._db.transaction(tenant_id) as tx:
            return await bundles.documents(tx, tenant_id, [one.digest for one in content.documents])

    async def diff(self, tenant_id: UUID, first: str, second: str = "") -> list[str]:
        """What differs, as lines; without a second one, between the first and what is in force."""
        _, one = await self.content(tenant_id, first)
        other = (await self.content(tenant_id, second or await self._noted(tenant_id)))[1]
        return list(differences(other, one) if not second else differences(one, other))

    async def publish(
        self,
        tenant_id: UUID,
        beginning: str,
        evidence: Evidence,
        *,
        actor: str,
        anyway: bool = False,
        kind: Kind = "published",
    ) -> str:
        """Put a bundle in force; its hash. Raises NotEvaluatedError, NotRestorableError, NotFoundError."""
        row, content = await self.content(tenant_id, beginning)
        name: str = row["hash"]
        if kind == "published":
            evidence.check(name)
        await self._noted(tenant_id)
        live = await self._profiles.live(tenant_id)
        changed = _other_parts(live.under(content), row["parts"])
        if changed and not anyway and kind == "published":
            raise NotRestorableError(name, changed)
        if kind == "published" and not anyway and (lost := await self._lost(tenant_id, live, content)):
            raise TakesAwayError(name, lost)
        before = _hash(live)
        ready = await prepared(self._db, tenant_id, content, self._encoder)
        async with self._db.transaction(tenant_id) as tx:
            await write_content(tx, tenant_id, content, ready, library=live.library)
            kept = {"before": before, **evidence.kept()}
            await bundles.release(tx, tenant_id, name, kind, share=1.0, evidence=kept, actor=actor)
            await bump(tx, tenant_id)
            payload = {"hash": name, **kept, "differs_in": list(changed)}
            await events.append(tx, tenant_id, f"bundle.{kind}", payload=payload, actor=actor)
        self._wakeup.signal(PROFILES, EVENTS)
        return name

    async def roll_back(self, tenant_id: UUID, *, actor: str, to: str = "", reason: str = "") -> tuple[str, str]:
        """Go back to ``to``, or to what was in force before the newest publication: the hashes left and reached.

        Needs no eval: it ran before. What cannot be had as it was is left as it is now, and the event says so.
        """
        left = await self.in_force(tenant_id)
        target = to or await self._before(tenant_id)
        why = Evidence(reason=reason or "back to what ran before")
        return left, await self.publish(tenant_id, target, why, actor=actor, kind="rolled_back")

    async def canary(self, tenant_id: UUID, beginning: str, share: float, *, actor: str, reason: str = "") -> str:
        """Let a share of the contacts, 0 to 1, meet a bundle; 0 ends it. Contacts stay on their side as it rises."""
        if not 0 <= share <= 1:
            raise InvalidInputError("share", f"must be from 0 to 1, not {share:g}")
        row, content = await self.content(tenant_id, beginning)
        name: str = row["hash"]
        await self._noted(tenant_id)
        live = await self._profiles.live(tenant_id)
        if share and (changed := _other_parts(live.under(content), row["parts"])):
            raise NotRestorableError(name, changed)
        async with self._db.transaction(tenant_id) as tx:
            if share and content.documents != tuple(live.documents):
                await _check_size(tx, tenant_id, content)
            kind = "canary" if share else "canary_ended"
            kept = {"reason": reason} if reason else {}
            await bundles.release(tx, tenant_id, name, kind, share=share, evidence=kept, actor=actor)
            await bump(tx, tenant_id)
            payload = {"hash": name, "share": share, **kept}
            await events.append(tx, tenant_id, f"bundle.{kind}", payload=payload, actor=actor)
        self._wakeup.signal(PROFILES, EVENTS)
        return name

    async def _lost(self, tenant_id: UUID, live: LiveTenant, content: BundleContent) -> tuple[str, ...]:
        """What came from no folder and is not in the bundle."""
        async with self._db.transaction(tenant_id) as tx:
            by_hand = [row["name"] for row in await tx.fetch("SELECT name FROM intent WHERE source <> 'files'")]
        kept = {one.ref for one in content.documents}
        documents = [one.ref for one in live.documents if one.source == ADDED and one.ref not in kept]
        functions = [
            row.name
            for row in live.function_rows
            if row.name in live.functions
            and row.name not in content.functions
            and not row.source.startswith(FOLDER_SOURCE)
        ]
        return (
            *(f"document {ref}" for ref in documents),
            *(f"intent {name}" for name in by_hand if name not in content.intents),
            *(f"function {name}" for name in functions),
        )

    async def _before(self, tenant_id: UUID) -> str:
        """What was in force before the newest publication that was not gone back from."""
        path: list[str] = []
        for row in reversed([row for row in await self.releases(tenant_id) if row["kind"] in IN_FORCE]):
            before = row["evidence"]["before"]
            if not path or path[-1] != before:
                path.append(before)  # it came by an import or a setting
            if row["kind"] == "published":
                path.append(row["hash"])
            else:
                path = path[: path.index(row["hash"]) + 1] if row["hash"] in path else [row["hash"]]
        if len(path) < 2:
            raise NotFoundError("earlier bundle", "to go back to")
        return path[-2]

    async def _noted(self, tenant_id: UUID) -> str:
        """Make sure that what is in force is stored, even if no worker has served a turn with it; its hash."""
        live = await self._profiles.live(tenant_id)
        contents = bundle_parts(live.library, live.profile(), live.model())
        parts = part_hashes(contents)
        async with self._db.transaction(tenant_id) as tx:
            name = hash_of_parts(parts)
            await bundles.put(tx, tenant_id, name, live.content(contents).to_json(), parts=parts)
            await bundles.keep_live_documents(tx, tenant_id)
        return name


def _shown(row: Row, in_force: str, canary: bundles.Canary | None) -> StoredBundle:
    state = "draft" if row["created_by"] and row["first_used_at"] is None else ""
    if canary is not None and row["hash"] == canary.hash:
        state = f"canary {canary.share:.0%}"
    if row["hash"] == in_force:
        state = "in force"
    return StoredBundle(
        row["hash"],
        row["description"],
        row["parts"],
        state,
        row["created_by"],
        row["created_at"],
        row["first_used_at"],
    )


async def _one(tx: Connection, beginning: str) -> tuple[Row, BundleContent]:
    found = await bundles.matching(tx, beginning) if len(beginning) >= 4 else []
    exact = [row for row in found if row["hash"] == beginning] or found
    if len(exact) > 1:
        raise InvalidInputError("bundle", f"{beginning} begins several hashes", hint="Give more of it.")
    if not exact:
        raise NotFoundError("bundle", beginning)
    return exact[0], BundleContent.from_json(exact[0]["content"])


def _hash(live: LiveTenant) -> str:
    return hash_of_parts(part_hashes(bundle_parts(live.library, live.profile(), live.model())))


def _other_parts(would_be: LiveTenant, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """The parts that come out otherwise than the bundle has them."""
    have = part_hashes(bundle_parts(would_be.library, would_be.profile(), would_be.model()))
    return tuple(part for part in PARTS if have[part] != wanted[part])


async def _check_size(tx: Connection, tenant_id: UUID, content: BundleContent) -> None:
    kept = await bundles.documents(tx, tenant_id, [one.digest for one in content.documents])
    pieces = sum(len(row["chunks"]) for row in kept.values())
    if pieces > MOST_CHUNKS:
        raise InvalidInputError(
            "bundle",
            f"its knowledge differs and has {pieces} pieces; a canary may have {MOST_CHUNKS}",
            hint="Publish it instead, or try a bundle with the knowledge that is in force.",
        )
