"""Tenant folders: a good one loads, and every kind of mistake names its file, its key and what to do."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from agent.language import detect_language
from domain.decisions import ReplyMode
from flows.declared_files import TenantFilesError
from flows.demo_scripts import OperatorAction, load_demo
from flows.tenant_declaration import TenantDeclaration, seed_records, to_profile
from flows.tenant_files import load_tenant

AURORA = Path(__file__).parents[2] / "tenants" / "loja-aurora"

SETTINGS = """\
slug: padaria
name: Padaria
default_language: pt
languages: [pt, es]
timezone: America/Sao_Paulo
numbers:
  - {key: balcao, name: Balcão, provider: simulator}
"""
INTENT = """\
name: bread
description: Se tem pão
function: bread_left
examples:
  pt: ['tem pão?', sobrou pão]
replies:
  ok: {pt: "Temos {{ result.count }}", es: "Hay {{ result.count }}"}
"""
FUNCTIONS = '''\
from tools.declaration import Parameter, business_function

@business_function(effect="read", parameters=[Parameter("kind", ask={"pt": "Qual pão?"})])
async def bread_left(ctx, kind):
    """How much bread is left."""
    return {"count": 3}
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("intents", "knowledge", "data", "demo"):
        (tmp_path / name).mkdir()
    (tmp_path / "tenant.yaml").write_text(SETTINGS)
    (tmp_path / "intents" / "bread.yaml").write_text(INTENT)
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    (tmp_path / "knowledge" / "bread.md").write_text("# Pão\nFeito aqui.\n\n## Horários\nSai às 7h.\n")
    (tmp_path / "data" / "loaves.json").write_text('{"french": {"count": 3, "baked": "today-1"}}')
    return tmp_path


def messages(folder: Path) -> list[str]:
    with pytest.raises(TenantFilesError) as caught:
        load_tenant(folder)
    return [str(problem) for problem in caught.value.problems]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def aurora() -> TenantDeclaration:
    return load_tenant(AURORA)


def test_the_example_tenant_is_as_rich_as_a_newcomer_needs(aurora: TenantDeclaration) -> None:
    assert len(aurora.intents) >= 12
    for intent in aurora.intents.values():
        assert len(intent.examples["pt"]) >= 10, intent.name
        assert intent.examples["es"], intent.name
        assert intent.examples["en"], intent.name
    assert len(aurora.functions) >= 6
    assert {name for name, function in aurora.functions.items() if function.effect == "write"} == {"request_exchange"}
    modes = {intent.reply_mode for intent in aurora.intents.values()}
    assert {ReplyMode.AUTO, ReplyMode.SUGGEST} <= modes
    assert len(aurora.knowledge) >= 5
    assert [user.role for user in aurora.settings.users].count("operator") == 2


def test_the_example_tenant_speaks_all_its_languages_everywhere(aurora: TenantDeclaration) -> None:
    languages = set(aurora.settings.languages)
    for intent in aurora.intents.values():
        for texts in (intent.answer, *intent.replies.values()):
            assert not texts or set(texts) == languages, intent.name
    for function in aurora.functions.values():
        for parameter in function.parameters:
            assert not parameter.required or set(parameter.ask) == languages, parameter.name


def test_the_demo_scripts_cover_what_a_good_product_does(aurora: TenantDeclaration) -> None:
    scripts = load_demo(AURORA, aurora)
    assert len(scripts) >= 34
    titles = [script.title for script in scripts]
    spoken = [detect_language(" ".join(m.text for s in script.steps for m in s.say), "pt") for script in scripts]
    assert min(spoken.count("es"), spoken.count("en")) >= 6, list(zip(titles, spoken, strict=True))
    steps = [step for script in scripts for step in script.steps]
    assert {step.expect.decision for step in steps} >= {"reply", "suggest", "hand_off", "ask_approval", "stay_silent"}
    actions = {step.operator.do for step in steps if step.operator}
    assert actions == set(get_args(OperatorAction.model_fields["do"].annotation))
    reasons = {reason for step in steps for reason in step.expect.handoff_reason}
    assert reasons >= {"requested", "anger", "repeated_failure", "low_confidence", "restricted_intent", "vip", "media"}
    assert {script.hours for script in scripts} == {"", "open", "closed"}


def test_a_profile_needs_no_database_and_keeps_what_the_files_say(aurora: TenantDeclaration) -> None:
    profile = to_profile(aurora, "t1")
    assert (profile.id, profile.name, profile.version) == ("t1", "Loja Aurora", aurora.version)
    assert profile.hours.weekly[0] == (("09:00", "18:00"),)
    assert profile.hours.weekly[6] == ()
    assert "2026-12-25" in profile.hours.closed_dates
    assert profile.intents["cancel_order"].restricted
    assert profile.intents["order_status"].reply_mode is ReplyMode.AUTO
    assert profile.trusted_writes == frozenset()


def test_seeds_resolve_days_relative_to_the_import_and_carry_the_opening_hours(folder: Path) -> None:
    edit(folder / "tenant.yaml", "numbers:", 'hours: {weekly: {monday: ["06:00-12:00"]}}\nnumbers:')
    seeds = seed_records(load_tenant(folder), date(2026, 3, 1))
    assert seeds["loaves"]["french"] == {"count": 3, "baked": "2026-02-28"}
    assert seeds["tenant"]["hours"]["weekly"][0] == [["06:00", "12:00"]]


def test_the_version_changes_with_any_content_but_not_with_a_demo_script(folder: Path) -> None:
    first = load_tenant(folder).version
    (folder / "demo" / "new.yaml").write_text("name: x")
    assert load_tenant(folder).version == first
    edit(folder / "knowledge" / "bread.md", "7h", "8h")
    assert load_tenant(folder).version != first


def test_knowledge_is_cut_at_its_headings(folder: Path) -> None:
    (folder / "knowledge" / "bread.es.md").write_text("# Pan\n## Horarios\nSale a las 7.\n")
    sections = load_tenant(folder).passages()
    assert [(section.ref, section.title, section.text, section.language) for section in sections] == [
        ("bread#0", "Pão", "Feito aqui.", "pt"),
        ("bread#1", "Pão · Horários", "Sai às 7h.", "pt"),
        ("bread.es#0", "Pan · Horarios", "Sale a las 7.", "es"),
    ]


def test_two_tenants_with_the_same_code_do_not_share_a_module(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "copy"
    folder.rename(other)
    first = load_tenant(other).functions["bread_left"]
    other.rename(folder)
    second = load_tenant(folder).functions["bread_left"]
    assert first.call.__module__ != second.call.__module__
    assert not list(folder.rglob("__pycache__"))


BROKEN: dict[str, tuple[str, str, str, str]] = {
    "an unknown key": (
        "tenant.yaml",
        "timezone:",
        "treshold: 0.9\ntimezone:",
        "treshold: is not a known key. Did you mean `threshold`?",
    ),
    "a missing key": ("tenant.yaml", "slug: padaria\n", "", "slug: is missing. Add it."),
    "a key that is there twice": (
        "tenant.yaml",
        "name: Padaria\n",
        "name: Padaria\nname: Outra\n",
        "is not valid YAML: the key 'name' is there twice (line 3). Correct that line.",
    ),
    "an unknown time zone": (
        "tenant.yaml",
        "America/Sao_Paulo",
        "America/Saopaulo",
        "timezone: is refused: 'America/Saopaulo' is no time zone",
    ),
    "impossible hours": (
        "tenant.yaml",
        "numbers:",
        'hours: {weekly: {monday: ["18:00-09:00"]}}\nnumbers:',
        "hours.weekly.monday: is refused: '18:00-09:00' ends before it starts",
    ),
    "a default language that is not spoken": (
        "tenant.yaml",
        "[pt, es]",
        "[es]",
        "languages: does not list the default language pt. Add it there.",
    ),
    "an unknown language": (
        "intents/bread.yaml",
        'es: "Hay',
        'fr: "Il y a',
        "replies.ok.fr: is refused: 'fr' is not supported",
    ),
    "a trusted write that is none": (
        "tenant.yaml",
        "numbers:",
        "trusted_writes: [bread_left]\nnumbers:",
        "trusted_writes: bread_left only reads.",
    ),
    "a fixed text that nobody says": (
        "tenant.yaml",
        "numbers:",
        "texts: {hand_of: {pt: Oi}}\nnumbers:",
        "texts.hand_of: is no text that Atende says. Did you mean hand_off?",
    ),
    "users without an admin": (
        "tenant.yaml",
        "numbers:",
        "users: [{name: A, email: a@b.example, role: operator}]\nnumbers:",
        "users: name no admin.",
    ),
    "a function that does not exist": (
        "intents/bread.yaml",
        "bread_left",
        "bread_right",
        "function: there is no function bread_right. Known: bread_left.",
    ),
    "a template with a syntax error": (
        "intents/bread.yaml",
        "Temos {{ result.count }}",
        "Temos {{ result.count",
        "replies.ok.pt: is no valid template:",
    ),
    "a template with an unknown filter": (
        "intents/bread.yaml",
        "{{ result.count }}",
        "{{ result.count | moneyy }}",
        "replies.ok.pt: is no valid template: No filter named 'moneyy'",
    ),
    "a template with an unknown variable": (
        "intents/bread.yaml",
        "result.count",
        "resultt.count",
        "replies.ok.pt: uses the unknown variable resultt. A template knows:",
    ),
    "a reply without the default language": (
        "intents/bread.yaml",
        'pt: "Temos {{ result.count }}", ',
        "",
        "replies.ok.pt: is missing.",
    ),
    "a function without its reply": ("intents/bread.yaml", "ok:", "sold_out:", "replies.ok: is missing."),
    "an empty list of examples": ("intents/bread.yaml", "['tem pão?', sobrou pão]", "[]", "examples.pt: is empty."),
    "an example that YAML reads as no text": (
        "intents/bread.yaml",
        "['tem pão?'",
        "[yes",
        "examples.pt.0: is read as True, not as text. Put the value in quotes.",
    ),
    "an example said twice": (
        "intents/bread.yaml",
        "sobrou pão",
        "Tem  PÃO",
        "examples.pt.1: 'Tem  PÃO' is in intents/bread.yaml (examples.pt.0) already.",
    ),
    "an intent that serves nothing": (
        "intents/bread.yaml",
        "function: bread_left\n",
        "",
        "says nothing about how to serve it.",
    ),
    "an intent that is never served": (
        "intents/bread.yaml",
        "function:",
        "restricted: true\nfunction:",
        "is never served, so its function and replies are unused.",
    ),
    "a wrong reply mode": (
        "intents/bread.yaml",
        "function:",
        "reply_mode: on\nfunction:",
        "reply_mode: input should be 'off', 'suggest' or 'auto'. It is now True.",
    ),
    "functions that do not run": ("functions.py", "async def", "def_ async", "cannot be run (line 4): SyntaxError"),
    "functions that end the program": (
        "functions.py",
        "from tools.declaration",
        "raise SystemExit(3)\nfrom tools.declaration",
        "cannot be run (line 1): SystemExit: 3",
    ),
    "functions that import nothing real": (
        "functions.py",
        "from tools.declaration",
        "from tools.declarations",
        "cannot be run (line 1): ModuleNotFoundError",
    ),
    "a parameter that the function does not take": (
        "functions.py",
        "(ctx, kind)",
        "(ctx, size='M')",
        "bread_left.kind: is declared, but the function does not take it.",
    ),
    "an argument that is not declared": (
        "functions.py",
        "(ctx, kind)",
        "(ctx, kind, size)",
        "bread_left: takes size undeclared.",
    ),
    "a question without the default language": (
        "functions.py",
        '"pt": "Qual',
        '"en": "Qual',
        "bread_left.kind.ask.pt: is missing.",
    ),
    "a document without a title": (
        "knowledge/bread.md",
        "# Pão",
        "Pão",
        "does not begin with a title. Write `# Title` as its first line.",
    ),
    "broken JSON": ("data/loaves.json", "3,", "3,,", "is not valid JSON:"),
    "a record that is no object": (
        "data/loaves.json",
        '{"count": 3, "baked": "today-1"}',
        "3",
        "french: is no JSON object.",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_mistake_names_its_file_its_key_and_what_to_do(folder: Path, kind: str) -> None:
    file, old, new, expected = BROKEN[kind]
    edit(folder / file, old, new)
    assert any(message.startswith(f"{file}: {expected}") for message in messages(folder)), messages(folder)


def test_a_file_in_another_encoding_is_named_with_its_line(folder: Path) -> None:
    file = folder / "intents" / "bread.yaml"
    line = next(n for n, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if not text.isascii())
    file.write_bytes(file.read_text(encoding="utf-8").encode("latin-1"))
    assert f"intents/bread.yaml: is not UTF-8 (line {line}). Save it as UTF-8." in messages(folder)


def test_code_that_cannot_be_run_is_the_only_mistake_it_makes(folder: Path) -> None:
    edit(folder / "functions.py", "async def", "def_ async")
    (message,) = messages(folder)
    assert message.startswith("functions.py: cannot be run (line 4)")


def test_all_mistakes_are_reported_together(folder: Path) -> None:
    edit(folder / "tenant.yaml", "slug: padaria\n", "")
    (folder / "intents" / "again.yaml").write_text(INTENT)
    (folder / "intents" / "other.yml").write_text("")
    (folder / "data" / "tenant.json").write_text("{}")
    edit(folder / "intents" / "bread.yaml", "bread_left", "bread_right")
    found = messages(folder)
    assert [message.split(" ")[0] for message in found] == [
        "data/tenant.json:",
        "intents/bread.yaml:",
        "intents/other.yml:",
        "tenant.yaml:",
    ]
    assert "bread is declared in intents/again.yaml too" in " ".join(found)


def test_a_folder_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(TenantFilesError) as caught:
        load_tenant(tmp_path / "nobody")
    assert "tenant.yaml: cannot be read (No such file or directory)" in caught.value.sentence()
    assert caught.value.sentence().endswith("Correct the files, then try again.")


def test_a_script_that_repeats_an_example_or_expects_the_impossible_is_refused(folder: Path) -> None:
    (folder / "demo" / "a.yaml").write_text(
        "name: a\ntitle: A\ncontact: {name: Ana, phone: '5531900000000'}\n"
        "steps:\n- say: Tem pão?\n  expect: {intent: cake, function: bake, handoff_reason: media}\n- operator: edit\n"
    )
    (folder / "demo" / "b.yaml").write_text(
        "name: b\ntitle: B\ncontact: {name: Ana, phone: '5531900000000'}\n"
        "steps:\n- say: tem pão?\n  expect: {intent: cake, function: bake, handoff_reason: media}\n"
    )
    with pytest.raises(TenantFilesError) as caught:
        load_demo(folder, load_tenant(folder))
    assert [(problem.file, problem.key) for problem in caught.value.problems] == [
        ("demo/a.yaml", "steps.1.operator"),
        ("demo/b.yaml", "steps.0.expect.intent"),
        ("demo/b.yaml", "steps.0.expect.function"),
        ("demo/b.yaml", "steps.0.expect.handoff_reason"),
        ("demo/b.yaml", "steps.0.say"),
    ]
