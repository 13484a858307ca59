"""A model's answers are recorded and replayed: the same words, nobody's data, and a miss that says what differs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.language_model import ModelSettings
from evaluation.bundles import load_bundle
from evaluation.model import EvalModels, NoAnswerError
from evaluation.recordings import FILE_NAME, RecordingMissingError, Recordings, RecordingsUnreadableError
from tests.evaluation.one_turn import one_turn
from tests.openai_server import ScriptedOpenAI

AURORA = Path(__file__).parents[2] / "tenants" / "loja-aurora"
ORDER = "queria saber se aquela compra minha de número 10234 já anda por aí"
CPF, OTHER_CPF = "529.982.247-25", "111.444.777-35"

TOOL = {"type": "function", "function": {"name": "find", "description": "Find an order by its number and CPF. " * 3}}
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be kind.\n<customer_name>Maria Silva</customer_name>\nNow: Monday, 2026-11-23"},
        {"role": "user", "content": f"meu CPF é {CPF}, cadê o pedido 10234?"},
    ],
    "tools": [TOOL],
    "temperature": 0.2,
}


def response(text: str | None = None, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    function = {"name": "find", "arguments": json.dumps(arguments)}
    calls = [{"id": "call_1", "type": "function", "function": function}] if arguments else None
    message = {"role": "assistant", "content": text, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    return {
        "id": "chatcmpl-1",
        "created": 1763771103,
        "model": "m-2026",
        "choices": [choice],
        "usage": {"prompt_tokens": 7},
    }


def changed(**fields: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(BODY)), **fields}


async def test_that_a_recorded_conversation_is_replayed_without_a_network(tmp_path: Path) -> None:
    script = [
        {"when": "10234", "steps": [{"tool_calls": [{"name": "order_status", "arguments": {"order_number": "10234"}}]},
                                    {"reply": "Oi, Maria! O pedido 10234 está aqui: {tool_result}"}]},
    ]  # fmt: skip
    bundle = load_bundle(".", AURORA, default_model=ModelSettings("gpt-x", api_key="sk-secret-1"))
    assert bundle.model is not None
    async with ScriptedOpenAI(script) as server:
        live = EvalModels("live", record=True)
        recordings = Recordings.of(tmp_path)
        asked = live.model(replace(bundle.model, base_url=server.base_url), recordings)
        first = await one_turn(bundle, ORDER, asked)
        recordings.save()
        await live.aclose()
    assert (asked.calls, asked.origin) == (2, "live")
    assert "sk-secret-1" not in (tmp_path / FILE_NAME).read_text(encoding="utf-8")
    replay = EvalModels("replay")
    again = replay.model(bundle.model, Recordings.of(tmp_path))
    assert again.origin == "local"
    second = await one_turn(bundle, ORDER, again)
    await replay.aclose()
    assert (again.calls, again.origin) == (2, "replayed")
    assert second.decision == first.decision
    assert [call.function for call in second.trace.tool_calls] == ["order_status"]


async def test_that_a_missing_recording_ends_the_turn_and_says_what_differs(tmp_path: Path) -> None:
    bundle = load_bundle(".", AURORA, default_model=ModelSettings("gpt-x"))
    assert bundle.model is not None
    async with ScriptedOpenAI([{"when": ".", "reply": "Oi!"}]) as server:
        live = EvalModels("live", record=True)
        recordings = Recordings.of(tmp_path)
        await one_turn(bundle, ORDER, live.model(replace(bundle.model, base_url=server.base_url), recordings))
        await live.aclose()
    replay = EvalModels("replay")
    edited = bundle.with_prompt(bundle.library["converse"].source.replace("1. Never invent.", "1. Invent nothing."))
    with pytest.raises(
        RecordingMissingError, match=r"messages\[0\]\.content.*Never invent.*Invent nothing.*line"
    ) as missed:
        await one_turn(edited, ORDER, replay.model(bundle.model, recordings))
    assert "--record" in missed.value.hint
    with pytest.raises(RecordingMissingError, match="only sample 1 of this very request"):
        await one_turn(bundle, ORDER, replay.model(bundle.model, recordings, sample=2))
    with pytest.raises(RecordingMissingError, match="nothing has been recorded"):
        await one_turn(bundle, ORDER, replay.model(bundle.model))
    await replay.aclose()


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (changed(model="n"), "model"),
        (changed(temperature=0.3), "temperature"),
        (changed(max_tokens=5), "max_tokens"),
        (changed(tools=[]), "tools.find"),
        (changed(messages=[*BODY["messages"], {"role": "user", "content": "oi?"}]), r"messages\[2\].role"),
        (
            changed(messages=[{**BODY["messages"][0], "content": "Be kind."}, BODY["messages"][1]]),
            r"messages\[0\].content",
        ),
    ],
)
def test_that_everything_the_model_sees_is_part_of_the_key(other: dict[str, Any], field: str) -> None:
    recordings = Recordings()
    recordings.keep(BODY, response("Oi!"))
    assert recordings.answer(dict(reversed(BODY.items())))["choices"][0]["message"]["content"] == "Oi!"
    with pytest.raises(RecordingMissingError, match=f"differs in {field}: "):
        recordings.answer(other)


def test_that_the_miss_names_the_recording_that_is_most_alike() -> None:
    recordings = Recordings()
    recordings.keep(
        changed(messages=[BODY["messages"][0], {"role": "user", "content": "qual o horário?"}]), response("9h")
    )
    recordings.keep(BODY, response("Oi!"))
    near = changed(
        messages=[BODY["messages"][0], {"role": "user", "content": f"meu CPF é {CPF}, cadê o pedido 10235?"}]
    )
    with pytest.raises(RecordingMissingError, match=r"recorded '.*10234\?', asked '.*10235\?'"):
        recordings.answer(near)


def test_that_the_file_holds_no_personal_data_and_serves_another_customer(tmp_path: Path) -> None:
    recordings = Recordings.of(tmp_path)
    called = response("Oi, Maria! Escreva para ana@example.com.", {"cpf": CPF.replace(".", "").replace("-", "")})
    recordings.keep(BODY, called)
    recordings.save()
    stored = (tmp_path / FILE_NAME).read_text(encoding="utf-8")
    for datum in (CPF, "52998224725", "Maria", "Silva", "ana@example.com"):
        assert datum not in stored
    other = json.loads(json.dumps(BODY).replace(CPF, OTHER_CPF).replace("Maria Silva", "Ana Souza"))
    message = Recordings.of(tmp_path).answer(other)["choices"][0]["message"]
    assert message["content"] == "Oi, Ana! Escreva para [EMAIL_1]."
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"cpf": "11144477735"}


async def test_that_faults_are_not_recorded_as_answers() -> None:
    faulty = [
        {"when": "um", "status": 429, "retry_after": 0},
        {"when": "dois", "body": '{"choices": []}'},
        {"when": "tres", "body": "<html>oops</html>", "content_type": "text/html"},
        {"when": "quatro", "status": 500},
    ]
    async with ScriptedOpenAI(faulty) as server:
        live = EvalModels("live", record=True)
        recordings = Recordings()
        settings = ModelSettings("m", base_url=server.base_url, max_attempts=1)
        for text in ("um", "dois", "tres", "quatro"):
            with pytest.raises(NoAnswerError):
                await live.model(settings, recordings).complete([{"role": "user", "content": text}])
        await live.aclose()
    assert len(server.requests) == 4
    assert recordings.found == {}


def test_that_recordings_of_two_branches_merge_by_lines(tmp_path: Path) -> None:
    shared = changed(messages=[BODY["messages"][0], {"role": "user", "content": "bom dia"}])
    texts = {"base": ["bom dia"], "ours": ["bom dia", "quero trocar"], "theirs": ["bom dia", "qual o horário?"]}
    for name, said in texts.items():
        recordings = Recordings.of(tmp_path / name)
        for text in said:
            body = {**shared, "messages": [BODY["messages"][0], {"role": "user", "content": text}]}
            recordings.keep(body, response(f"re: {text}"))
        recordings.save()
    ours, base, theirs = (str(tmp_path / name / FILE_NAME) for name in ("ours", "base", "theirs"))
    subprocess.run(["git", "merge-file", "--union", ours, base, theirs], check=True)
    merged = Recordings.of(tmp_path / "ours")
    assert len(merged.found) == 3
    lines = Path(ours).read_text(encoding="utf-8").splitlines()
    assert sum("piece" in line for line in lines) == 1
    again = Recordings.of(tmp_path / "theirs")
    again.changed = True
    before = Path(theirs).read_bytes()
    again.save()
    assert Path(theirs).read_bytes() == before


def test_that_a_broken_file_is_told_with_its_line(tmp_path: Path) -> None:
    recordings = Recordings.of(tmp_path)
    recordings.keep(BODY, response("Oi!"))
    recordings.save()
    path = tmp_path / FILE_NAME
    good = path.read_text(encoding="utf-8")
    path.write_text(good + "{oops\n", encoding="utf-8")
    with pytest.raises(RecordingsUnreadableError, match=rf"{FILE_NAME}:{len(good.splitlines()) + 1}: "):
        Recordings.of(tmp_path)
    path.write_text(good.replace("Be kind", "Be rude"), encoding="utf-8")
    with pytest.raises(RecordingsUnreadableError, match="changed by hand"):
        Recordings.of(tmp_path)


async def test_that_what_differs_from_process_to_process_is_pinned() -> None:
    bodies: list[Mapping[str, Any]] = []

    class Simulated:
        def respond(self, body: Mapping[str, Any], *, sample: int) -> dict[str, Any]:
            bodies.append(body)
            return response("Oi!")

    bundle = load_bundle(".", AURORA, default_model=ModelSettings("m"))
    assert bundle.model is not None
    models = EvalModels("simulated", simulation=Simulated())
    for canary in ("refpinned", "refpinned", ""):
        asked = models.model(bundle.model)
        await one_turn(bundle, ORDER, asked, canary=canary)
        assert asked.origin == "simulated"
    await models.aclose()
    assert bodies[0] == bodies[1] != bodies[2]
    assert "Monday, 2026-11-23 12:00" in str(bodies[0])


@pytest.mark.parametrize("said", ["uma\u2028linha\u0085só", "cortado no meio \ud83d", "§ 3º do contrato", ["§", "x"]])
def test_that_whatever_a_model_or_a_customer_writes_is_kept(tmp_path: Path, said: Any) -> None:
    text = said if isinstance(said, str) else "\n".join(said)
    body = changed(messages=[BODY["messages"][0], {"role": "user", "content": text}])
    recordings = Recordings.of(tmp_path)
    recordings.keep(body, response(f"re: {text}"))
    recordings.save()
    assert Recordings.of(tmp_path).answer(body)["choices"][0]["message"]["content"] == f"re: {text}"


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ("oi, aqui é a mariana de novo", None),
        ("MARIANA SOUZA, sim", None),
        ("meu nome é Otacílio Brandão, sou o marido dela", None),
        ("cadê?", {"customer": "Otacílio Brandão", "state": "sent"}),
        ("cadê?", {"name": "Otacílio Brandão", "cpf": CPF}),
        ("mora na Rua das Acácias, 123, apto 4", None),
    ],
)
def test_that_nobody_who_is_named_stays_in_the_file(tmp_path: Path, said: str, result: Any) -> None:
    system = {"role": "system", "content": "Be kind.\n<customer_name>Mariana Souza</customer_name>"}
    messages = [system, {"role": "user", "content": said}]
    if result is not None:
        messages.append({"role": "tool", "tool_call_id": "call_1", "content": json.dumps(result, ensure_ascii=False)})
    body = changed(messages=messages)
    recordings = Recordings.of(tmp_path)
    named = "Otacílio Brandão" in json.dumps(messages, ensure_ascii=False)
    reply = f"Oi, mariana! {'Otacílio Brandão' if named else 'Ele'} já recebeu. MARIANA, até logo!"
    recordings.keep(body, response(reply))
    recordings.save()
    stored = (tmp_path / FILE_NAME).read_text(encoding="utf-8").casefold()
    assert [name for name in ("mariana", "souza", "otacílio", "brandão", "acácias") if name in stored] == []
    message = Recordings.of(tmp_path).answer(body)["choices"][0]["message"]
    assert message["content"] == reply
