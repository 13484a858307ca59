"""Load a tenant from its folder of plain files and check it as a whole.

A folder holds ``tenant.yaml``, ``intents/*.yaml``, ``functions.py``, ``functions/*.yaml``, documents in ``knowledge/``
(``name.es.md`` for a language other than the tenant's own) and ``data/*.json``. All mistakes are reported together.

``functions.py`` is run as it stands: it is code of the installation's owner, trusted like the rest of the program.
Never load a folder that came from somebody else without reading that file first.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import sys
import types
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from agent.templates import TemplateFailedError, variables_of
from agent.texts import load_texts
from domain.decisions import HandOffReason
from domain.policy import CLOSED, OPEN
from domain.told import Told
from flows.declared_files import FileReader
from flows.functions_files import files_of, http_functions
from flows.identity_files import check_identity
from flows.model_declaration import unpriced
from flows.tenant_declaration import (
    OWN_COLLECTION,
    IntentDeclaration,
    TenantDeclaration,
    TenantSettings,
)
from flows.tenant_texts import read_documents, read_prompts
from tools.declaration import BusinessFunction
from tools.http_call import unconnected

TEMPLATE_VARIABLES = frozenset({"result", "arguments", "contact", "business", "language"})
"""What a reply template may use."""

DISCLOSURE = "disclosure"
"""The one fixed text without a wording of Atende's: who is speaking, before the first automatic reply."""


def load_tenant(folder: Path, imported: Collection[str] = ()) -> TenantDeclaration:
    """Read and check a tenant folder; raise TenantFilesError with everything that is wrong with it.

    ``imported``: names of functions that the tenant has from elsewhere, so that intents may name them.
    """
    reader = FileReader(folder)
    settings = reader.yaml("tenant.yaml", TenantSettings)
    default = settings.default_language if settings else None
    intents = _intents(reader)
    found = _functions(reader)
    functions = found or {}
    over_http = http_functions(reader)
    for name in sorted(functions.keys() & over_http.keys()):
        reader.problem("functions.py", name, "is declared in functions/ too.", "Rename one of them.")
    functions |= {name: unconnected(declared) for name, declared in over_http.items()}
    knowledge = read_documents(reader, default or "pt")
    records = _records(reader)
    prompts = read_prompts(reader)
    if settings:
        _check_settings(reader, settings, functions)
        _check_policy(reader, settings, {intent.name for _, intent in intents})
        check_identity(reader, settings, functions, {i.name: i.function for _, i in intents})
        _check_functions(reader, functions, settings.default_language)
    _check_examples(reader, intents)
    for file, intent in intents:
        # What code declares that cannot be run is not known: its own problem says all there is to say.
        unseen = {intent.function} if found is None and intent.function else set()
        check_intent(reader, file, intent, {*functions, *imported, *unseen})
        if default:
            _check_languages(reader, file, {"examples": intent.examples, "answer": intent.answer}, default)
            replies = {f"replies.{outcome}": texts for outcome, texts in intent.replies.items()}
            _check_languages(reader, file, replies, default)
    reader.raise_problems()
    if settings is None:
        raise AssertionError("a missing tenant.yaml was not reported")
    return TenantDeclaration(
        folder=folder.resolve(),
        settings=settings,
        version=_digest(folder),
        intents={intent.name: intent for _, intent in intents},
        functions=functions,
        http_functions=over_http,
        prompts=prompts,
        knowledge=knowledge,
        records=records,
    )


def slug_of(folder: Path) -> str:
    """Which tenant a folder declares; "" where that cannot be read."""
    settings = FileReader(folder).yaml("tenant.yaml", TenantSettings)
    return settings.slug if settings else ""


def load_functions(folder: Path) -> dict[str, BusinessFunction]:
    """The business functions of a tenant folder alone, by name; raise TenantFilesError if its code cannot be run."""
    reader = FileReader(folder)
    functions = _functions(reader)
    reader.raise_problems()
    return functions or {}


def fold_sentence(text: str) -> str:
    """A sentence without what does not tell two examples apart: case, punctuation at its ends, spaces."""
    return " ".join(text.casefold().split()).strip(" .,;:!?¡¿")


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    files = ["tenant.yaml", "functions.py", *files_of(folder)]
    for pattern in ("intents/*.yaml", "knowledge/*", "data/*.json", "prompts/*.md.j2"):
        files += sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file())
    for file in files:
        path = folder / file
        content = path.read_bytes() if path.exists() else b""
        digest.update(f"{file}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _intents(reader: FileReader) -> list[tuple[str, IntentDeclaration]]:
    found: list[tuple[str, IntentDeclaration]] = []
    files = reader.files("intents", ".yaml")
    if not files:
        reader.problem("intents/", "", "holds no intent.", "Add one .yaml file for each thing that customers want.")
    homes: dict[str, str] = {}
    for file in files:
        intent = reader.yaml(file, IntentDeclaration)
        if intent is None:
            continue
        if intent.name in homes:
            reader.problem(
                file, "name", f"{intent.name} is declared in {homes[intent.name]} too.", "Rename one of them."
            )
            continue
        homes[intent.name] = file
        found.append((file, intent))
    return found


def _check_examples(reader: FileReader, intents: Iterable[tuple[str, IntentDeclaration]]) -> None:
    seen: dict[str, str] = {}
    for file, intent in intents:
        if not intent.examples:
            reader.problem(file, "examples", "are missing.", "Add at least one sentence; ten or more work well.")
        for language, sentences in intent.examples.items():
            for position, sentence in enumerate(sentences):
                place = f"examples.{language}.{position}"
                first = seen.setdefault(fold_sentence(sentence), f"{file} ({place})")
                if first != f"{file} ({place})":
                    reader.problem(file, place, f"{sentence!r} is in {first} already.", "Remove one of them.")


def check_intent(
    reader: FileReader, file: str, intent: IntentDeclaration, functions: Collection[str], *, may_be_bare: bool = False
) -> None:
    """Note what is wrong with an intent by itself. ``may_be_bare``: without anything to serve it, it is no mistake."""
    serves = intent.action == "serve" and not intent.restricted
    if intent.function and intent.function not in functions:
        known = ", ".join(sorted(functions)) or "none"
        what = Told("no_function", "there is no function {name}.", name=intent.function)
        reader.problem(file, "function", what, f"Known: {known}.")
    if serves and not intent.function and not intent.answer and not may_be_bare:
        reader.problem(file, "", "says nothing about how to serve it.", "Add function, answer, action or restricted.")
    if intent.function and intent.answer:
        what = Told("answer_and_function", "stands beside a function.")
        reader.problem(file, "answer", what, "Keep one; texts of a function belong in replies.")
    if not serves and (intent.function or intent.replies):
        what = Told("never_served", "is never served, so its function and replies are unused.")
        reader.problem(file, "", what, "Remove them, or the action.")
    if intent.hand_off_reason and serves:
        what = Told("reason_alone", "stands without a handoff.")
        reader.problem(file, "hand_off_reason", what, "Add action: hand_off, or remove it.")
    if intent.action == "stay_silent" and intent.answer:
        what = Told("never_said", "is never said by an intent that stays silent.")
        reader.problem(file, "answer", what, "Remove it, or the action.")
    if intent.replies and not intent.function:
        what = Told("replies_alone", "need a function.")
        reader.problem(file, "replies", what, "Add it, or write a fixed text under answer.")
    if intent.function and "ok" not in intent.replies:
        what = Told("ok_reply_needed", "is missing.")
        reader.problem(file, "replies.ok", what, "Say what the customer reads when the function succeeds.")
    for language, text in intent.answer.items():
        if "{{" in text or "{%" in text:
            what = Told("fixed_text", "is a fixed text, not a template.")
            reader.problem(file, f"answer.{language}", what, "Remove the braces, or use replies.")
    for outcome, texts in intent.replies.items():
        for language, template in texts.items():
            _check_template(reader, file, f"replies.{outcome}.{language}", template)


def _check_template(
    reader: FileReader, file: str, key: str, template: str, variables: frozenset[str] | None = TEMPLATE_VARIABLES
) -> None:
    try:
        used = variables_of(key, template)
    except TemplateFailedError as error:
        what = Told("no_template", "is no valid template: {problem}.", problem=error.problem)
        reader.problem(file, key, what, "Correct it.")
        return
    if variables is None:
        return
    allowed = ", ".join(sorted(variables))
    for name in sorted(used - variables):
        what = Told("unknown_variable", "uses the unknown variable {name}.", name=name, allowed=allowed)
        reader.problem(file, key, what, f"A template knows: {allowed}.")


def _check_languages(reader: FileReader, file: str, texts: Mapping[str, Mapping[Any, Any]], default: str) -> None:
    for key, translations in texts.items():
        if translations and default not in translations:
            reader.problem(file, f"{key}.{default}", "is missing.", "The tenant's default language is always needed.")


def _check_settings(reader: FileReader, settings: TenantSettings, functions: Mapping[str, BusinessFunction]) -> None:
    file = "tenant.yaml"
    if settings.default_language not in settings.languages:
        reader.problem(
            file, "languages", f"does not list the default language {settings.default_language}.", "Add it there."
        )
    _check_languages(
        reader, file, {f"texts.{name}": texts for name, texts in settings.texts.items()}, settings.default_language
    )
    own = {f"{key}_{reason}" for key in ("hand_off", "next_step") for reason in HandOffReason}
    known = {*load_texts().wording, *own, DISCLOSURE}
    for name, texts in settings.texts.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            todo = f"Did you mean {close[0]}?" if close else f"Atende has: {', '.join(sorted(known))}."
            reader.problem(file, f"texts.{name}", "is no text that Atende says.", todo)
        for language, text in texts.items():
            _check_template(reader, file, f"texts.{name}.{language}", text, variables=None)
    for name in settings.trust:
        if name not in functions:
            reader.problem(file, "trusted_writes", f"there is no {name} here.", "Correct the name, or remove it.")
        elif functions[name].effect != "write":
            reader.problem(file, "trusted_writes", f"{name} only reads.", "Remove it: reading needs no trust.")
    for name in unpriced(settings.model, settings.budgets):
        todo = "Give its price per million tokens."
        reader.problem(file, f"model.prices.{name}", "is missing, though budgets limit money.", todo)
    for key, values in (
        ("numbers", [number.key for number in settings.numbers]),
        ("users", [user.email for user in settings.users]),
    ):
        for value in sorted({value for value in values if values.count(value) > 1}):
            reader.problem(file, key, f"{value} is there twice.", "Remove or rename one of them.")
    if settings.users and all(user.role != "admin" for user in settings.users):
        reader.problem(file, "users", "name no admin.", "Give one of them the role admin.")


def _check_policy(reader: FileReader, settings: TenantSettings, intents: Collection[str]) -> None:
    known = {
        "number": {number.key for number in settings.numbers},
        "intent": set(intents),
        "hours": {OPEN, CLOSED, *settings.hours.named},
    }
    for position, declared in enumerate(settings.policy):
        for name, value in declared.rule().conditions.items():
            if name in known and value not in known[name]:
                todo = f"These are known: {', '.join(sorted(known[name])) or 'none'}."
                reader.problem("tenant.yaml", f"policy.{position}.{name}", f"names {value}, which is none.", todo)
    if settings.handoff.return_unclaimed and not settings.hours.weekly:
        what = "needs opening hours: it means the next opening."
        reader.problem("tenant.yaml", "handoff.return_unclaimed", what, "Declare hours.weekly, or remove it.")


def _functions(reader: FileReader) -> dict[str, BusinessFunction] | None:
    """What the folder's code declares; None, with the problem noted, where it cannot be read or run."""
    file = "functions.py"
    if not (reader.folder / file).exists():
        return {}
    source = reader.text(file)
    if source is None:
        return None
    path = (reader.folder / file).resolve()
    digest = hashlib.sha256(f"{path}\0{source}".encode()).hexdigest()[:12]
    # Unique per content and place, so that two tenants, or two versions of one, never see each other's module. Run by
    # hand rather than imported: no bytecode is left in a folder that people copy.
    module = types.ModuleType(f"atende_tenant_{digest}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pydantic look their module up by name
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - see the module's docstring
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        line = next((f" (line {frame})" for frame in _lines(error, str(path))), "")
        reader.problem(file, "", f"cannot be run{line}: {type(error).__name__}: {error}.", "Correct the code.")
        return None
    functions: dict[str, BusinessFunction] = {}
    for name, value in vars(module).items():
        if not isinstance(value, BusinessFunction):
            continue
        if name != value.name:
            reader.problem(file, name, f"holds a function that calls itself {value.name}.", "Use one name for it.")
        functions[value.name] = value
    return functions


def _lines(error: BaseException, path: str) -> Iterable[int]:
    """Line numbers of the error within the file, innermost first."""
    if isinstance(error, SyntaxError) and error.lineno:
        yield error.lineno
    lines = []
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == path:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    yield from reversed(lines)


def _check_functions(reader: FileReader, functions: Mapping[str, BusinessFunction], default: str) -> None:
    file = "functions.py"
    for function in functions.values():
        for parameter in function.parameters if function.kind != "python" else ():
            _check_languages(reader, file, {f"{function.name}.{parameter.name}.ask": parameter.ask}, default)
        if function.kind != "python":
            continue
        taken = list(inspect.signature(function.call).parameters.values())[1:]
        declared = [parameter.name for parameter in function.parameters]
        takes_any = any(argument.kind is argument.VAR_KEYWORD for argument in taken)
        for argument in taken:
            needed = argument.default is inspect.Parameter.empty and argument.kind is not argument.VAR_KEYWORD
            if needed and argument.name not in declared:
                reader.problem(file, function.name, f"takes {argument.name} undeclared.", "Declare it as a Parameter.")
        for parameter in function.parameters:
            place = f"{function.name}.{parameter.name}"
            if declared.count(parameter.name) > 1:
                reader.problem(file, place, "is declared twice.", "Keep one of them.")
            if not takes_any and parameter.name not in {argument.name for argument in taken}:
                reader.problem(file, place, "is declared, but the function does not take it.", "Add the argument.")
            _check_languages(reader, file, {f"{place}.ask": parameter.ask}, default)


def _records(reader: FileReader) -> dict[str, dict[str, dict[str, Any]]]:
    collections = {}
    for file in reader.files("data", ".json"):
        name = Path(file).stem
        content = reader.json(file)
        if content is None:
            continue
        if name == OWN_COLLECTION:
            reader.problem(file, "", "has a name that Atende uses itself.", "Rename the file.")
        for key, record in content.items():
            if not isinstance(record, dict):
                reader.problem(file, key, "is no JSON object.", "Write the record's fields in braces.")
        collections[name] = content
    return collections
