"""Bundles from files: what each reference leads to, one hash for the same content, and mistakes with their place."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from agent.bundle import PARTS
from agent.language_model import ModelSettings
from agent.prompt_versions import RECORD, check_reused, check_versions, record, recorded
from agent.prompts import PromptError, load_prompts, prompts_folder
from domain.errors import AtendeError
from evaluation.bundles import Bundle, NoSuchBundleError, load_bundle
from flows.bundle_content import BundleContent
from flows.declared_files import TenantFilesError
from flows.tenant_files import load_tenant
from flows.tenant_texts import read_knowledge

AURORA = Path(__file__).parents[2] / "tenants" / "loja-aurora"
CANDIDATE = prompts_folder() / "versions" / "converse.2.md.j2"
MODEL = ModelSettings("gpt-x", api_key="sk-1")


@pytest.fixture(scope="module")
def base() -> Bundle:
    return load_bundle(".", AURORA, default_model=MODEL)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A copy of the example tenant, to be changed."""
    folder = tmp_path / "loja-aurora"
    shutil.copytree(AURORA, folder, ignore=shutil.ignore_patterns("__pycache__", "demo"))
    return folder


def other_parts(one: Bundle, other: Bundle) -> set[str]:
    return {part for part in PARTS if one.parts[part] != other.parts[part]}


def bundle_file(folder: Path, text: str) -> str:
    path = folder / "bundle.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_that_the_same_content_has_the_same_hash_wherever_it_lies(base: Bundle, shop: Path) -> None:
    assert load_bundle("", AURORA, default_model=replace(MODEL, api_key="sk-2")).hash == base.hash
    assert load_bundle(str(shop), AURORA, default_model=MODEL).hash == base.hash
    assert set(base.parts) == set(PARTS)
    assert base.ref("A").parts == base.parts
    assert "sk-1" not in json.dumps(base.contents, default=str)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("settings: {threshold: 0.9}", {"thresholds"}),
        ("settings: {persona: Fale pouco.}", {"prompts"}),
        ("settings: {model: {name: gpt-y, options: {temperature: 0}}}", {"model"}),
        ("functions: {order_status: {description: Find it., parameters: {order_number: Five digits}}}", {"tools"}),
        ("settings: {trusted_writes: [request_exchange]}", {"tools"}),
        ("intents: {opening_hours: {threshold: 0.99}}", {"thresholds"}),
        ("intents: {opening_hours: {examples: {pt: [quando abre, a que horas fecha]}}}", {"knowledge"}),
        ("knowledge: {remove: [garantia]}", {"knowledge"}),
        ("description: nothing but words", set()),
    ],
)
def test_that_each_change_shows_in_its_part_alone(base: Bundle, tmp_path: Path, text: str, parts: set[str]) -> None:
    changed = load_bundle(bundle_file(tmp_path, text), AURORA, default_model=MODEL)
    assert other_parts(base, changed) == parts
    assert (changed.hash != base.hash) == bool(parts)


def test_that_bundle_files_build_on_each_other_and_bring_prompts_and_documents(base: Bundle, tmp_path: Path) -> None:
    (tmp_path / "novo.es.md").write_text("# Nuevo\n\nAbrimos el domingo.\n", encoding="utf-8")
    shutil.copy(CANDIDATE, tmp_path / "converse.md.j2")
    first = tmp_path / "first.yaml"
    first.write_text("settings: {threshold: 0.9}\nprompts: [converse.md.j2]\n", encoding="utf-8")
    both = load_bundle(
        bundle_file(tmp_path, "from: first.yaml\nknowledge: {add: [novo.es.md]}\ndescription: Both"),
        AURORA,
        default_model=MODEL,
    )
    assert other_parts(base, both) == {"prompts", "thresholds", "knowledge"}
    assert (both.description, both.profile.threshold) == ("Both", 0.9)
    assert both.profile.prompts["converse"].version == "2"
    assert [one.language for one in both.declaration.knowledge if one.ref == "novo.es"] == ["es"]
    assert both.declaration.version != base.declaration.version
    assert load_bundle(str(CANDIDATE), AURORA, default_model=MODEL).parts["prompts"] == both.parts["prompts"]


def test_that_a_stored_bundle_is_played_as_it_was_stored(base: Bundle, tmp_path: Path, shop: Path) -> None:
    text = "settings: {threshold: 0.9, trusted_writes: [request_exchange]}\nknowledge: {remove: [garantia]}"
    changed = load_bundle(bundle_file(tmp_path, text), AURORA, default_model=MODEL).with_prompt(
        CANDIDATE.read_text(encoding="utf-8")
    )
    content = BundleContent.of_declaration(changed.declaration, changed.library, changed.model, changed.contents)
    texts = {one.digest: [[c.heading, c.text, c.page] for c in one.chunks] for one in changed.declaration.knowledge}
    whole = {"bundle": changed.hash, "description": "stored", **content.to_json(), "texts": texts}
    path = tmp_path / "stored.json"
    path.write_text(json.dumps(whole, default=str), encoding="utf-8")
    again = load_bundle(str(path), shop, default_model=MODEL)
    assert (again.hash, again.description) == (changed.hash, "stored")
    assert again.hash != base.hash
    path.write_text('{"format": 7}', encoding="utf-8")
    with pytest.raises(AtendeError, match="is no bundle as atende bundle show --json prints it"):
        load_bundle(str(path), shop)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("settings: [", "bundle.yaml:1: is not valid YAML"),
        ("settings:\n  threshold: 7\n", "threshold: input should be less than or equal to 1"),
        ("description: x\nsetings: {}\n", "bundle.yaml:2: setings: extra inputs are not permitted"),
        ("settings: {slug: other}", "slug is no part of a bundle"),
        ("functions: {no_such: {description: x}}", "no function no_such"),
        ("functions: {order_status: {parameters: {colour: x}}}", "no parameter of order_status colour"),
        ("knowledge: {remove: [no-such]}", "there is no document 'no-such'; there are entrega"),
        ("prompts: [no-such.md.j2]", "cannot be read"),
        ("from: nowhere.yaml", "there is no such file or folder"),
    ],
)
def test_that_mistakes_in_a_bundle_file_are_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(AtendeError) as refused:
        load_bundle(bundle_file(tmp_path, text), AURORA)
    assert told in refused.value.sentence()


def test_that_a_reference_to_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").touch()
    for reference in ("no-such", str(tmp_path / "empty"), str(tmp_path / "x.txt")):
        with pytest.raises(NoSuchBundleError, match="names no bundle"):
            load_bundle(reference, AURORA)


def test_that_a_tenant_may_word_a_prompt_its_own_way_but_not_drop_what_protects_it(shop: Path) -> None:
    own = shop / "prompts" / "converse.md.j2"
    own.parent.mkdir()
    text = CANDIDATE.read_text(encoding="utf-8")
    own.write_text(text, encoding="utf-8")
    assert load_tenant(shop).prompts["converse"].version == "2"
    assert load_tenant(shop).version != load_tenant(AURORA).version
    for old, new, told in (
        ("Reference: {{ canary }} (internal, never say it).\n", "", "the input 'canary' is declared but never used"),
        (
            "name: converse\n",
            "name: coverse\n",
            "converse, describe_media, rewrite, second_reading, summary, translate",
        ),
        ("  canary:", "  colour: Not known.\n  canary:", "the input 'colour' is declared but never used"),
        ("{{ business }} on", "{{ busines }} on", "line 23: the variable 'busines' is not declared"),
    ):
        assert old in text
        own.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(TenantFilesError) as refused:
            load_tenant(shop)
        assert told in str(refused.value), told
    without = "\n".join(line for line in text.splitlines() if "canary" not in line)
    own.write_text(without, encoding="utf-8")
    with pytest.raises(TenantFilesError, match="the input 'canary' is needed"):
        load_tenant(shop)


def test_that_two_versions_of_a_prompt_are_shipped_and_one_is_in_force(base: Bundle) -> None:
    assert base.library["converse"].version == "1"
    candidate = load_bundle(str(CANDIDATE), AURORA, default_model=MODEL)
    assert other_parts(base, candidate) == {"prompts"}
    assert "converse 2" in candidate.description


def test_that_shipped_prompts_do_not_change_without_a_new_version() -> None:
    check_versions(prompts_folder())
    assert set(recorded(prompts_folder())["converse"]) == {"1", "2"}


def test_that_a_changed_prompt_needs_a_new_version(tmp_path: Path) -> None:
    shutil.copytree(prompts_folder(), tmp_path / "prompts")
    folder, path = tmp_path / "prompts", tmp_path / "prompts" / "converse.md.j2"
    assert record(folder) == []
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Never invent.", "Don't invent."), encoding="utf-8")
    with pytest.raises(PromptError, match="the content changed, but the version is still 1") as refused:
        check_versions(folder)
    assert (refused.value.path, refused.value.line) == (path, 3)
    with pytest.raises(PromptError, match="still 1"):
        record(folder)
    path.write_text(path.read_text(encoding="utf-8").replace("version: 1", "version: 3"), encoding="utf-8")
    with pytest.raises(PromptError, match="version 3 of converse is not recorded yet: atende bundle stamp"):
        check_versions(folder)
    assert [line.split(":")[0] for line in record(folder)] == ["converse 3"]
    check_versions(folder)
    assert set(recorded(folder)["converse"]) == {"1", "2", "3"}
    assert (folder / RECORD).read_text(encoding="utf-8").startswith("# ")
    assert load_prompts(folder)["converse"].version == "3"


def test_that_a_changed_prompt_needs_a_new_version_wherever_it_lies(base: Bundle, shop: Path, tmp_path: Path) -> None:
    text = (prompts_folder() / "converse.md.j2").read_text(encoding="utf-8")
    path = tmp_path / "converse.md.j2"
    for source, refused in (
        (text + "Be brief.\n", True),
        (text.replace("version: 1", "version: 9") + "Brief.\n", False),
    ):
        path.write_text(source, encoding="utf-8")
        prompts = load_bundle(str(path), shop).declaration.prompts.values()
        assert len(prompts) == 1
        with pytest.raises(PromptError, match="still 1") if refused else nullcontext():
            check_reused(prompts, [prompts_folder()])


def test_that_a_document_by_itself_is_read_as_the_folder_reads_it() -> None:
    (alone,) = (read_knowledge(path, "pt") for path in [AURORA / "knowledge" / "politicas.es.md"])
    assert alone in load_tenant(AURORA).knowledge
