"""The life of a prompt bundle on a real database: drafted, evaluated, published, gone back from, tried on a share."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from agent.encoder import default_encoder
from agent.language_model import ModelSettings
from domain.errors import InvalidInputError, NotFoundError
from evaluation.bundle_edits import BundleFile
from evaluation.bundles import Bundle, load_bundle
from flows.bundle_content import BundleContent
from flows.bundles import BundleDesk, Evidence, NotEvaluatedError, NotRestorableError, TakesAwayError
from flows.canary import place_of
from flows.knowledge import add_file
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from store.database import Database
from tests.database import make_number
from tests.flows.backroom import Backroom, open_backroom
from tests.flows.shop import FOLDER, Shop, open_shop
from tests.openai_server import ScriptedOpenAI

STRANGE = "o meu papagaio comeu o manual de instruções da geladeira"
"""Nothing that an intent of the shop would be sure of: the language model answers."""
REASON = Evidence(reason="a typing error in the greeting")


@pytest.fixture
async def model() -> AsyncIterator[ScriptedOpenAI]:
    async with ScriptedOpenAI(
        [{"when": ".", "reply": "Não tenho essa informação. Quer falar com uma pessoa?"}]
    ) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The slow shop with a document."""
    copied = tmp_path / "slow_shop"
    shutil.copytree(FOLDER, copied, ignore=shutil.ignore_patterns("__pycache__"))
    (copied / "knowledge").mkdir(exist_ok=True)
    (copied / "knowledge" / "garantia.md").write_text("# Garantia\n\nA garantia é de doze meses.\n", encoding="utf-8")
    return copied


@pytest.fixture
async def shop(owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[Shop]:
    async with open_shop(owner_dsn, db, folder) as opened:
        yield opened


@pytest.fixture
async def backroom(shop: Shop, folder: Path, model: ScriptedOpenAI) -> AsyncIterator[Backroom]:
    async with open_backroom(shop, folder, model=settings(model)) as opened:
        yield opened


@pytest.fixture
def desk(backroom: Backroom) -> BundleDesk:
    return BundleDesk(backroom.shop.db, backroom.wakeup, backroom.turns._profiles, default_encoder())


def settings(model: ScriptedOpenAI) -> ModelSettings:
    return ModelSettings("gpt-x", base_url=model.base_url, api_key="sk-of-the-installation")


def bundle_of(folder: Path, model: ScriptedOpenAI, **edits: Any) -> Bundle:
    base = load_bundle(".", folder, default_model=settings(model))
    return base.edited(BundleFile.model_validate(edits)) if edits else base


async def drafted(desk: BundleDesk, tenant_id: UUID, bundle: Bundle) -> str:
    content = BundleContent.of_declaration(bundle.declaration, bundle.library, bundle.model, bundle.contents)
    documents = {
        one.digest: (one.title, [[chunk.heading, chunk.text, chunk.page] for chunk in one.chunks])
        for one in bundle.declaration.knowledge
    }
    name, _ = await desk.draft(tenant_id, content, documents, description="a try", actor="helena")
    assert name == bundle.hash
    return name


async def turn_of(backroom: Backroom, contact: str, text: str = STRANGE) -> asyncpg.Record:
    """The customer writes; the turn that answers."""
    await backroom.shop.write(contact, text)
    await backroom.turns._profiles.refresh()
    await backroom.rest()
    turns = await backroom.shop.fetch(
        "SELECT t.* FROM turn t JOIN conversation c ON c.id = t.conversation_id JOIN contact_address a "
        "ON a.contact_id = c.contact_id WHERE a.value = $1 ORDER BY t.id DESC LIMIT 1",
        contact,
    )
    return turns[0]


def better(bundle: Bundle) -> Bundle:
    """Another prompt, tool description, threshold, example and document."""
    source = bundle.library["converse"].source
    reworded = source.replace("1. Never invent.", "1. Never invent anything.").replace("version: 1\n", "version: 9\n")
    assert reworded != source
    return bundle.with_prompt(reworded)


async def test_that_a_turn_keeps_the_hash_that_an_eval_computes_and_what_explains_it(
    backroom: Backroom, folder: Path, model: ScriptedOpenAI
) -> None:
    expected = bundle_of(folder, model)
    turn = await turn_of(backroom, "5531999990001")
    assert turn["prompt_bundle"] == expected.hash
    (stored,) = await backroom.shop.fetch("SELECT * FROM prompt_bundle WHERE hash = $1", expected.hash)
    assert stored["first_used_at"] is not None
    assert stored["parts"] == expected.parts
    content = BundleContent.from_json(stored["content"])
    assert content.prompts["converse"] == expected.library["converse"].source
    assert content.contents == json.loads(json.dumps(expected.contents))
    assert [one.ref for one in content.documents] == ["garantia"]
    assert "sk-of-the-installation" not in json.dumps(stored["content"])
    (document,) = await backroom.shop.fetch("SELECT * FROM bundle_document")
    assert document["chunks"] == [["", "A garantia é de doze meses.", None]]


async def test_that_only_what_passed_an_eval_is_published_or_what_a_reason_is_given_for(
    backroom: Backroom, desk: BundleDesk, folder: Path, model: ScriptedOpenAI
) -> None:
    tenant_id = backroom.shop.tenant_id
    name = await drafted(desk, tenant_id, better(bundle_of(folder, model)))
    for evidence in (Evidence(), Evidence(run={"suites": ["shop"]}, evaluated="0" * 16), Evidence(reason="  ")):
        with pytest.raises(NotEvaluatedError):
            await desk.publish(tenant_id, name, evidence, actor="helena")
    assert await desk.in_force(tenant_id) == bundle_of(folder, model).hash
    assert {one.hash: one.state for one in await desk.listed(tenant_id)}[name] == "draft"
    await desk.publish(tenant_id, name, Evidence(run={"suites": ["shop"]}, evaluated=name), actor="helena")
    other = await drafted(desk, tenant_id, bundle_of(folder, model, settings={"threshold": 0.9}))
    await desk.publish(tenant_id, other, REASON, actor="bruno")
    kept = await backroom.shop.fetch("SELECT * FROM event WHERE kind = 'bundle.published' ORDER BY id")
    assert [(row["actor"], row["payload"].get("run")) for row in kept] == [
        ("helena", {"suites": ["shop"]}),
        ("bruno", None),
    ]
    assert kept[1]["payload"]["without_eval"] == "a typing error in the greeting"
    assert kept[1]["payload"]["before"] == name
    assert [row["evidence"].get("without_eval") for row in await desk.releases(tenant_id)] == [REASON.reason, None]


async def test_that_workers_take_a_published_bundle_up_at_once_and_go_back_to_the_very_one_before(
    backroom: Backroom, desk: BundleDesk, folder: Path, model: ScriptedOpenAI
) -> None:
    tenant_id = backroom.shop.tenant_id
    before = (await turn_of(backroom, "5531999990001"))["prompt_bundle"]
    base = bundle_of(folder, model)
    function = next(iter(base.profile.functions))
    intent = next(iter(base.declaration.intents))
    (folder / "novo.md").write_text("# Garantia\n\nA garantia agora é de dois anos.\n", encoding="utf-8")
    (folder / "novo.md").rename(folder / "garantia.md")
    edits = {
        "settings": {"threshold": 0.91, "persona": "Fale como um pirata."},
        "functions": {function: {"description": "Do the thing that the customer wants."}},
        "intents": {intent: {"threshold": 0.77, "examples": {"pt": ["quero o negócio que vocês fazem", "faz aquilo"]}}},
        "knowledge": {"add": ["garantia.md"]},
    }
    changed = better(base.edited(BundleFile.model_validate(edits), beside=folder))
    name = await drafted(desk, tenant_id, changed)
    assert {part for part in base.parts if base.parts[part] != changed.parts[part]} == {
        "prompts", "tools", "knowledge", "thresholds",
    }  # fmt: skip
    await desk.publish(tenant_id, name, REASON, actor="helena")
    turn = await turn_of(backroom, "5531999990002")
    assert turn["prompt_bundle"] == name != before
    said = json.dumps(model.requests[-1], ensure_ascii=False)
    assert "Never invent anything." in said
    assert "Fale como um pirata." in said
    assert "Do the thing that the customer wants." in said
    assert [row["text"] for row in await backroom.shop.fetch("SELECT text FROM knowledge_chunk")] == [
        "A garantia agora é de dois anos."
    ]
    assert await desk.roll_back(tenant_id, actor="helena") == (name, before)
    assert (await turn_of(backroom, "5531999990003"))["prompt_bundle"] == before
    assert "pirata" not in json.dumps(model.requests[-1], ensure_ascii=False)
    assert [row["text"] for row in await backroom.shop.fetch("SELECT text FROM knowledge_chunk")] == [
        "A garantia é de doze meses."
    ]
    with pytest.raises(NotFoundError):  # there is nothing before: going back again must not bring the bad one back
        await desk.roll_back(tenant_id, actor="helena")
    lines = await desk.diff(tenant_id, before, name)
    assert "prompt converse:" in lines
    assert any(line.startswith("  +") and "dois anos" not in line for line in lines)
    assert "  +0.91" in lines


async def test_that_importing_the_same_files_again_does_not_undo_a_publication_and_new_files_do(
    backroom: Backroom, desk: BundleDesk, folder: Path, model: ScriptedOpenAI, owner_dsn: str
) -> None:
    tenant_id, db = backroom.shop.tenant_id, backroom.shop.db
    name = await drafted(desk, tenant_id, better(bundle_of(folder, model)))
    await desk.publish(tenant_id, name, REASON, actor="helena")
    again = await import_tenant(owner_dsn, db, load_tenant(folder), default_encoder(), today=date(2031, 1, 1))
    assert again.tenant_id == tenant_id
    assert await desk.in_force(tenant_id) == name
    text = (folder / "tenant.yaml").read_text(encoding="utf-8")
    (folder / "tenant.yaml").write_text(text + "\n# another version\n", encoding="utf-8")
    await import_tenant(owner_dsn, db, load_tenant(folder), default_encoder(), today=date(2031, 1, 1))
    assert await desk.in_force(tenant_id) == bundle_of(folder, model).hash


async def test_that_a_canary_meets_its_share_of_the_contacts_and_a_greater_share_only_adds_some(
    backroom: Backroom, desk: BundleDesk, folder: Path, model: ScriptedOpenAI
) -> None:
    tenant_id = backroom.shop.tenant_id
    base = bundle_of(folder, model)
    (folder / "knowledge" / "garantia.md").write_text("# Garantia\n\nA garantia é de dez anos.\n", encoding="utf-8")
    changed = better(bundle_of(folder, model, settings={"knowledge_threshold": 0.0}))
    name = await drafted(desk, tenant_id, changed)
    contacts = [uuid4() for _ in range(300)]
    met: dict[float, set[UUID]] = {}
    for share in (0.0, 0.1, 0.4, 1.0):
        await desk.canary(tenant_id, name, share, actor="helena")
        version = (await backroom.shop.fetch("SELECT profile_version FROM tenant"))[0]["profile_version"]
        brain = await backroom.turns._profiles.get(tenant_id, version)
        met[share] = {contact for contact in contacts if brain.for_contact(contact) is not brain}
        assert met[share] == {contact for contact in contacts if place_of(tenant_id, contact) < share}
    assert met[0.0] < met[0.1] < met[0.4] < met[1.0] == set(contacts)
    assert (await turn_of(backroom, "5531999990001"))["prompt_bundle"] == name
    assert "dez anos" in json.dumps(model.requests[-1], ensure_ascii=False)
    assert {one.hash: one.state for one in await desk.listed(tenant_id)} == {base.hash: "in force", name: "canary 100%"}
    await desk.canary(tenant_id, name, 0.0, actor="helena")
    assert (await turn_of(backroom, "5531999990002"))["prompt_bundle"] == base.hash
    assert "doze meses" not in json.dumps(model.requests[-1], ensure_ascii=False)  # its threshold is the shop's again
    with pytest.raises(InvalidInputError):
        await desk.canary(tenant_id, name, 1.5, actor="helena")


def test_that_contacts_are_spread_evenly_and_each_tenant_in_its_own_way() -> None:
    contacts = [uuid4() for _ in range(4_000)]
    one, other = uuid4(), uuid4()
    share = sum(place_of(one, contact) < 0.1 for contact in contacts) / len(contacts)
    assert 0.07 < share < 0.13
    assert [place_of(one, contact) for contact in contacts] != [place_of(other, contact) for contact in contacts]


async def test_that_what_cannot_be_had_as_it_was_is_not_published_unsaid(
    backroom: Backroom, desk: BundleDesk, folder: Path, model: ScriptedOpenAI
) -> None:
    tenant_id = backroom.shop.tenant_id
    elsewhere = load_bundle(".", folder, default_model=ModelSettings("another-model"))
    name = await drafted(desk, tenant_id, elsewhere)
    with pytest.raises(NotRestorableError, match="its model would be others") as refused:
        await desk.publish(tenant_id, name, REASON, actor="helena")
    assert refused.value.parts == ("model",)
    with pytest.raises(NotRestorableError):
        await desk.canary(tenant_id, name, 0.5, actor="helena")


async def test_that_publishing_a_folder_does_not_silently_take_away_what_came_from_elsewhere(
    backroom: Backroom, desk: BundleDesk, folder: Path, model: ScriptedOpenAI
) -> None:
    tenant_id, db = backroom.shop.tenant_id, backroom.shop.db
    name = await drafted(desk, tenant_id, better(bundle_of(folder, model)))
    await add_file(db, tenant_id, "frete.txt", "O frete é grátis acima de cem reais.".encode(), "pt")
    with_document = await desk.in_force(tenant_id)
    with pytest.raises(TakesAwayError, match=r"document frete\.txt"):
        await desk.publish(tenant_id, name, REASON, actor="helena")
    await desk.publish(tenant_id, name, REASON, actor="helena", anyway=True)
    assert await desk.in_force(tenant_id) == name
    await desk.roll_back(tenant_id, actor="helena")
    assert await desk.in_force(tenant_id) == with_document
    texts = {row["text"] for row in await backroom.shop.fetch("SELECT text FROM knowledge_chunk")}
    assert "O frete é grátis acima de cem reais." in texts


async def test_that_a_bundle_is_nobody_elses(
    backroom: Backroom, desk: BundleDesk, folder: Path, model: ScriptedOpenAI, owner_dsn: str
) -> None:
    ours = backroom.shop.tenant_id
    name = await drafted(desk, ours, better(bundle_of(folder, model)))
    await desk.canary(ours, name, 1.0, actor="helena")
    theirs = (await make_number(owner_dsn, "theirs")).tenant_id
    for act in (
        desk.publish(theirs, name, REASON, actor="x"),
        desk.canary(theirs, name, 1.0, actor="x"),
        desk.roll_back(theirs, actor="x", to=name),
        desk.content(theirs, name),
    ):
        with pytest.raises(NotFoundError):
            await act
    assert await desk.releases(theirs) == []
    assert [one.hash for one in await desk.listed(theirs)] != [name]
    async with backroom.shop.db.transaction(theirs) as tx:
        for table in ("prompt_bundle", "bundle_document", "bundle_release", "prompt_wording"):
            found = await tx.fetch(f"SELECT * FROM {table} WHERE tenant_id = $1", ours)
            assert found == [], table
