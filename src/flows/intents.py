"""Intents declared by people and programs: list, create, replace, delete, import. They count at once, everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.errors import ChangedMeanwhileError, ConflictError, NotFoundError
from domain.told import Told
from flows import autonomy
from flows.intent_declared import MOST_EXAMPLES, Fault, InvalidIntentError, as_json, language_of, read_intent
from flows.intent_files import ImportedFile, IntentFileError
from flows.tenant_declaration import LANGUAGES, IntentDeclaration
from flows.tenant_files import fold_sentence
from store import events, intents, knowledge
from store.database import Connection, Database, Row
from store.intents import ExampleRow
from store.wakeup import EVENTS, PROFILES, Wakeup

if TYPE_CHECKING:
    from agent.encoder import Encoder
    from agent.intent_check import TrainingCheck

MOST_INTENTS: Final = 1_000
MOST_EXAMPLES_OF_TENANT: Final = 20_000


class OutdatedIntentError(ChangedMeanwhileError):
    """The intent was changed since the caller read it. ``current`` is its version now."""

    def __init__(self, name: str, current: int) -> None:
        super().__init__(f"the intent {name} (it is version {current} now)")
        self.problem = Told("outdated", "was changed since: it is version {version}", version=current)
        self.current = current


@dataclass(frozen=True, slots=True)
class StoredIntent:
    """An intent with its version, which counts every change."""

    declaration: IntentDeclaration
    version: int
    source: str
    """``files`` or ``api``: see store.tables.knowledge.Intent."""
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. ``notices``: about the file; ``check``: how well the intents can be told apart now."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    examples_added: int
    notices: tuple[str, ...] = ()
    check: TrainingCheck | None = None


@dataclass(frozen=True, slots=True)
class _Tenant:
    default_language: str
    languages: Sequence[str]


@dataclass(slots=True)
class _Gathered:
    """What a file says of one intent."""

    fields: dict[str, Any] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    line: int = 0


class Intents:
    """Acts on one tenant's intents. Raises NotFoundError, ConflictError or InvalidInputError; nothing is done then."""

    def __init__(self, db: Database, wakeup: Wakeup, encoder: Callable[[], Encoder] | None = None) -> None:
        self._db = db
        self._wakeup = wakeup
        self._encoder = encoder or _default_encoder

    async def all(self, tenant_id: UUID) -> list[StoredIntent]:
        """Every intent, by name."""
        async with self._db.transaction(tenant_id) as tx:
            return [_stored(row) for row in await intents.every(tx)]

    async def get(self, tenant_id: UUID, name: str) -> StoredIntent:
        """One intent."""
        async with self._db.transaction(tenant_id) as tx:
            return await _one(tx, name)

    async def create(self, tenant_id: UUID, body: Any, *, actor: str) -> StoredIntent:
        """A new intent from a JSON object (flows.intent_declared)."""
        async with self._db.transaction(tenant_id) as tx:
            tenant, functions = await _tenant(tx, tenant_id), await intents.function_names(tx)
        intent = read_intent(body, tenant, functions)
        vectors = await self._vectors(tenant_id, _texts(intent))
        async with self._db.transaction(tenant_id) as tx:
            await _tenant(tx, tenant_id, lock=True)
            rows = await intents.every(tx)
            if intent.name in {row["name"] for row in rows}:
                there = Told("intent_there", "There is an intent {name} already.", name=intent.name)
                raise ConflictError(there, hint="Replace it, or choose a name.")
            _check_room(rows, [intent])
            _check_apart(rows, intent)
            await self._write(tx, tenant_id, intent, vectors, "intent.created", actor=actor)
            stored = await _one(tx, intent.name)
        self._wakeup.signal(PROFILES, EVENTS)
        return stored

    async def replace(self, tenant_id: UUID, name: str, body: Any, *, version: int | None, actor: str) -> StoredIntent:
        """Another declaration for an intent, whole. ``version``: the one that was read; None: whatever it is now.

        Raises OutdatedIntentError too.
        """
        async with self._db.transaction(tenant_id) as tx:
            tenant, functions = await _tenant(tx, tenant_id), await intents.function_names(tx)
            _check_version(await _one(tx, name), version)
        intent = read_intent(body, tenant, functions, name=name)
        vectors = await self._vectors(tenant_id, _texts(intent))
        async with self._db.transaction(tenant_id) as tx:
            await _tenant(tx, tenant_id, lock=True)
            before = await _one(tx, name)
            _check_version(before, version)
            rows = [row for row in await intents.every(tx) if row["name"] != name]
            _check_room(rows, [intent])
            _check_apart(rows, intent)
            if _whole(before.declaration) != _whole(intent) or before.source != intents.BY_HAND:
                await self._write(tx, tenant_id, intent, vectors, "intent.replaced", actor=actor)
            stored = await _one(tx, name)
        self._wakeup.signal(PROFILES, EVENTS)
        return stored

    async def delete(self, tenant_id: UUID, name: str, *, version: int | None, actor: str) -> None:
        """Forget an intent. Raises OutdatedIntentError too."""
        async with self._db.transaction(tenant_id) as tx:
            await _tenant(tx, tenant_id, lock=True)
            _check_version(await _one(tx, name), version)
            await intents.delete(tx, name)
            await intents.profile_changed(tx, tenant_id)
            await events.append(tx, tenant_id, "intent.deleted", payload={"intent": name}, actor=actor)
        self._wakeup.signal(PROFILES, EVENTS)

    async def check(self, tenant_id: UUID) -> TrainingCheck:
        """How well the intents can be told apart, by cross-validation."""
        async with self._db.transaction(tenant_id) as tx:
            rows = await knowledge.examples(tx)
        return await asyncio.to_thread(_checked, rows, self._encoder())

    async def bring(
        self, tenant_id: UUID, file: ImportedFile, *, replace: bool = False, actor: str, check: bool = True
    ) -> ImportReport:
        """Import a file's intents: all of them, or none. Examples are added to those of an intent that exists.

        ``replace``: intents that the file names have its examples only. Raises IntentFileError, naming lines.
        """
        async with self._db.transaction(tenant_id) as tx:
            tenant, functions = await _tenant(tx, tenant_id), await intents.function_names(tx)
        gathered = _gather(file, tenant)
        texts = [text for one in gathered.values() for found in one.examples.values() for text in found]
        vectors = await self._vectors(tenant_id, texts)
        async with self._db.transaction(tenant_id) as tx:
            await _tenant(tx, tenant_id, lock=True)
            rows = await intents.every(tx)
            before = {row["name"]: _stored(row) for row in rows}
            merged = _merged(file, gathered, before, tenant, functions, replace=replace)
            others = [row for row in rows if row["name"] not in merged or not replace]
            _check_file_apart(file, others)
            _check_room([row for row in rows if row["name"] not in merged], list(merged.values()))
            changed = {
                name: intent
                for name, intent in merged.items()
                if name not in before or _whole(before[name].declaration) != _whole(intent)
            }
            for intent in changed.values():
                await self._write(tx, tenant_id, intent, vectors, None, actor=actor)
            added = sum(len(_texts(one)) for one in changed.values()) - sum(
                len(_texts(before[name].declaration)) for name in changed if name in before
            )
            if changed:
                payload = {"intents": sorted(changed), "file": file.name}
                await events.append(tx, tenant_id, "intent.imported", payload=payload, actor=actor)
        self._wakeup.signal(PROFILES, EVENTS)
        return ImportReport(
            created=tuple(sorted(changed.keys() - before.keys())),
            changed=tuple(sorted(changed.keys() & before.keys())),
            unchanged=tuple(sorted(merged.keys() - changed.keys())),
            examples_added=added,
            notices=file.notices,
            check=await self.check(tenant_id) if check else None,
        )

    async def _vectors(self, tenant_id: UUID, texts: Sequence[str]) -> Mapping[str, ExampleRow]:
        """Vectors of texts that the database has none of yet, encoded before any transaction: it takes seconds."""
        from agent.classifier import vectors_to_store  # noqa: PLC0415 - numpy and 40 MB, only where intents are written

        encoder = self._encoder()
        async with self._db.transaction(tenant_id) as tx:
            known = await intents.known_vectors(tx, texts, encoder.name)
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if not new:
            return {}
        made_by, rows = await asyncio.to_thread(vectors_to_store, new, encoder)
        return {
            text: ExampleRow("", text, made_by, knowledge.vector_literal(row.tolist()))
            for text, row in zip(new, rows, strict=True)
        }

    async def _write(
        self,
        tx: Connection,
        tenant_id: UUID,
        intent: IntentDeclaration,
        vectors: Mapping[str, ExampleRow],
        kind: str | None,
        *,
        actor: str,
    ) -> None:
        declared = intent.model_dump(mode="json", exclude={"examples"})
        before = await tx.fetchval("SELECT declaration FROM intent WHERE name = $1", intent.name)
        if before is not None and before != declared:
            await autonomy.intent_changed(tx, tenant_id, intent.name)
        intent_id = await intents.put(tx, tenant_id, intent.name, declared)
        rows = [
            ExampleRow(language, text, vectors[text].encoder, vectors[text].embedding)
            if text in vectors
            else ExampleRow(language, text)
            for language, sentences in intent.examples.items()
            for text in sentences
        ]
        await intents.put_examples(tx, tenant_id, intent_id, rows, only=True)
        await intents.profile_changed(tx, tenant_id)
        if kind is not None:
            await events.append(tx, tenant_id, kind, payload={"intent": intent.name}, actor=actor)


def _default_encoder() -> Encoder:
    from agent.encoder import default_encoder  # noqa: PLC0415 - see above

    return default_encoder()


def _checked(rows: Sequence[Row], encoder: Encoder) -> TrainingCheck:
    from agent.intent_check import check_training  # noqa: PLC0415
    from flows.intent_vectors import trained_on  # noqa: PLC0415

    examples, vectors = trained_on(rows, encoder)
    return check_training(examples, encoder, vectors)


def _stored(row: Row) -> StoredIntent:
    examples: dict[str, list[str]] = {}
    for language, text in row["examples"]:
        examples.setdefault(language, []).append(text)
    declared = {**row["declaration"], "name": row["name"], "examples": examples}
    return StoredIntent(IntentDeclaration.model_validate(declared), row["version"], row["source"], row["updated_at"])


async def _one(tx: Connection, name: str) -> StoredIntent:
    row = await intents.one(tx, name)
    if row is None:
        raise NotFoundError("intent", name)
    return _stored(row)


async def _tenant(tx: Connection, tenant_id: UUID, *, lock: bool = False) -> _Tenant:
    """What reading declarations needs; with ``lock``, changes of one tenant's intents follow one another."""
    sql = "SELECT settings FROM tenant WHERE id = $1" + (" FOR UPDATE" if lock else "")
    settings = await tx.fetchval(sql, tenant_id)
    return _Tenant(settings.get("default_language", "pt"), tuple(settings.get("languages", LANGUAGES)))


def _check_version(intent: StoredIntent, version: int | None) -> None:
    if version is not None and version != intent.version:
        raise OutdatedIntentError(intent.declaration.name, intent.version)


def _texts(intent: IntentDeclaration) -> list[str]:
    return [text for sentences in intent.examples.values() for text in sentences]


def _whole(intent: IntentDeclaration) -> dict[str, Any]:
    """What makes two declarations the same: the order of examples counts for nothing."""
    declared = as_json(intent)
    return {**declared, "examples": {language: sorted(texts) for language, texts in declared["examples"].items()}}


def _homes(rows: Iterable[Row]) -> dict[str, str]:
    return {fold_sentence(text): row["name"] for row in rows for _, text in row["examples"]}


def _check_room(others: Sequence[Row], new: Sequence[IntentDeclaration]) -> None:
    count = sum(len(row["examples"]) for row in others) + sum(len(_texts(intent)) for intent in new)
    if len({row["name"] for row in others} | {intent.name for intent in new}) > MOST_INTENTS:
        raise ConflictError(f"A tenant has at most {MOST_INTENTS} intents.", hint="Delete some first.")
    if count > MOST_EXAMPLES_OF_TENANT:
        raise ConflictError(
            f"A tenant has at most {MOST_EXAMPLES_OF_TENANT} examples; these would be {count}.",
            hint="Keep the most different ones: beyond some dozens for each intent, more hardly help.",
        )


def _check_apart(others: Iterable[Row], intent: IntentDeclaration) -> None:
    homes = _homes(others)
    faults = [
        Fault(
            f"/examples/{language}/{place}",
            Told(
                "example_elsewhere",
                "{text!r} is an example of {other} already",
                text=text,
                other=homes[fold_sentence(text)],
            ),
        )
        for language, sentences in intent.examples.items()
        for place, text in enumerate(sentences)
        if fold_sentence(text) in homes
    ]
    if faults:
        raise InvalidIntentError(faults)


def _check_file_apart(file: ImportedFile, others: Iterable[Row]) -> None:
    homes = _homes(others)
    problems = [
        (
            row.line,
            Told(
                "example_elsewhere",
                "{text!r} is an example of {other} already, not of {intent}",
                text=row.text,
                other=homes[fold_sentence(row.text)],
                intent=row.intent,
            ),
        )
        for row in file.rows
        if homes.get(fold_sentence(row.text), row.intent) != row.intent
    ]
    if problems:
        raise IntentFileError(file.name, problems)


def _gather(file: ImportedFile, tenant: _Tenant) -> dict[str, _Gathered]:
    gathered: dict[str, _Gathered] = {}
    for row in file.rows:
        one = gathered.setdefault(row.intent, _Gathered(line=row.line))
        one.examples.setdefault(row.language or language_of(row.text, tenant), []).append(row.text)
    for name, (line, fields) in file.fields.items():
        one = gathered.setdefault(name, _Gathered(line=line))
        one.fields = fields
        one.line = line
    return gathered


def _merged(
    file: ImportedFile,
    gathered: Mapping[str, _Gathered],
    before: Mapping[str, StoredIntent],
    tenant: _Tenant,
    functions: set[str],
    *,
    replace: bool,
) -> dict[str, IntentDeclaration]:
    """Each intent of the file on top of what is stored of it. Raises IntentFileError with all that is wrong."""
    merged: dict[str, IntentDeclaration] = {}
    problems: list[tuple[int, str]] = []
    for name, one in gathered.items():
        stored: dict[str, Any] = as_json(before[name].declaration) if name in before else {"name": name}
        kept = {} if replace else dict(stored.get("examples", {}))
        known = {fold_sentence(text) for texts in kept.values() for text in texts}
        for language, texts in one.examples.items():
            new = [text for text in texts if fold_sentence(text) not in known]
            if new:
                kept[language] = [*kept.get(language, ()), *new]
        examples = kept or stored.get("examples", {})
        try:
            merged[name] = read_intent({**stored, **one.fields, "examples": examples}, tenant, functions)
        except InvalidIntentError as error:
            problems += [(one.line, f"intent {name}: {fault.pointer} {fault.what}") for fault in error.faults]
    if problems:
        raise IntentFileError(file.name, problems)
    return merged


__all__ = ["MOST_EXAMPLES", "ImportReport", "Intents", "OutdatedIntentError", "StoredIntent"]
