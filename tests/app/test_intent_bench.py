"""``atende bench intents`` on files of one's own, and the encoder that the settings name."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.classifier import Classification, Example
from agent.encoder import default_encoder
from agent.endpoint_encoder import EndpointEncoder
from agent.intent_figures import auroc, calibration_error, coverage, judge, judge_scope, sample
from app.cli import cli
from app.encoders import encoder_of
from app.intent_bench import LabelledFileError, bench_intents, lines
from app.settings import SettingsError, load_settings

TAUGHT = {
    "status": [
        "onde está meu pedido",
        "cadê minha encomenda",
        "meu pacote não chegou",
        "rastrear compra",
        "já enviaram?",
    ],
    "hours": ["que horas abrem", "horário de funcionamento", "abrem sábado?", "até que horas ficam", "fecha quando"],
    "pay": ["aceita pix?", "dá pra parcelar", "formas de pagamento", "pode ser no cartão", "pagar com boleto"],
}
ASKED = [("meu pedido sumiu, cadê?", "status"), ("vocês abrem no domingo?", "hours"), ("posso pagar no pix", "pay")]
OUTSIDE = ["qual a capital da mongólia", "me conta uma piada"]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("labelled")
    train = [{"text": text, "intent": intent} for intent, texts in TAUGHT.items() for text in texts]
    test = [{"text": text, "intent": intent} for text, intent in ASKED]
    return {
        "train": write(folder / "train.jsonl", train),
        "test": write(folder / "test.jsonl", [*test, {"text": OUTSIDE[0], "intent": None}]),
        "oos": write(folder / "oos.jsonl", [{"text": OUTSIDE[1]}]),
    }


@pytest.mark.parametrize("profile", ["fast", "accurate"])
def test_that_the_command_reports_every_figure_as_json(files, profile):
    arguments = [f"--{name}={path}" for name, path in files.items()]
    done = CliRunner().invoke(cli, ["bench", "intents", *arguments, "--shots=4", f"--profile={profile}", "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.output)
    assert (figures["taught"], figures["asked"], figures["out_of_scope"], figures["intents"]) == (12, 3, 2, 3)
    assert figures["accuracy"] == 1.0
    assert figures["oos_auroc"] == 1.0
    assert figures["oos_recall_at_95_kept"] == 1.0
    assert 0 <= figures["ece"] < 0.6
    assert figures["coverage_at_95_precision"] == 1.0
    assert 0 <= figures["ece_by_chance"] < 0.6
    assert 0 < figures["latency_p50_ms"] <= figures["latency_p99_ms"]
    assert 0 < figures["cpu_p50_ms"] <= figures["cpu_p99_ms"]
    assert any("AUROC" in line and "100.00 %" in line for line in lines(figures))


def test_that_csv_is_read_too_and_a_fault_names_its_line(tmp_path, files):
    table = tmp_path / "test.csv"
    table.write_text('text,intent\n"cadê, o pedido?",status\n', encoding="utf-8")
    given = {**files, "test": table, "oos": None}
    assert bench_intents(given, shots=None, seed=0, profile="fast")["asked"] == 1
    for content, said in [
        ('{"text": "oi", "intent": "a"}\n{', "line 2: is no JSON"),
        ('{"text": 3}', "line 1: has no text"),
        ('{"text": "oi", "intent": ["a"]}', "intent that is no name"),
        ('{"text": "oi"}', "no message has an intent"),
    ]:
        broken = tmp_path / "broken.jsonl"
        broken.write_text(content)
        with pytest.raises(LabelledFileError, match=said):
            bench_intents({**given, "test": broken}, shots=None, seed=0, profile="fast")
    with pytest.raises(LabelledFileError, match="cannot be read"):
        bench_intents({**given, "test": tmp_path / "absent.jsonl"}, shots=None, seed=0, profile="fast")


def test_that_shots_are_drawn_by_seed_and_do_not_depend_on_other_intents():
    examples = [Example(f"{intent} {number}", intent) for intent in "ab" for number in range(30)]
    first, again, other = sample(examples, 10, 0), sample(examples, 10, 0), sample(examples, 10, 1)
    assert first == again != other
    assert [example for example in first if example.intent == "a"] == sample(examples[:30], 10, 0)
    assert len(first) == 20
    assert len(sample(examples, 99, 0)) == 60


def test_that_the_figures_are_what_they_are_called():
    assert auroc([0.1, 0.2], [0.3, 0.15]) == 0.75
    assert auroc([0.5], [0.5]) == 0.5
    sure, right = np.array([0.9, 0.9, 0.5, 0.1]), np.array([True, True, False, False])
    assert calibration_error(sure, right) == pytest.approx((2 * 0.1 + 0.5 + 0.1) / 4)
    assert coverage(sure, right) == 0.5
    found = [Classification("a", 0.9, out_of_scope=0.1), Classification("b", 0.85, out_of_scope=0.3)]
    assert judge(found, ["a", "a"])["precision_at_0.8"] == 0.5
    outside = [Classification("a", 0.2, out_of_scope=0.29), Classification("a", 0.95, out_of_scope=0.9)]
    assert judge_scope(found, outside) == {"oos_auroc": 0.75, "oos_recall_at_95_kept": 0.5, "oos_answered_at_0.8": 0.5}


def test_that_the_settings_name_the_encoder(monkeypatch):
    assert encoder_of(load_settings()) is default_encoder()
    assert encoder_of(load_settings(encoder="fast")) is default_encoder()
    with pytest.raises(SettingsError, match="ATENDE_EMBEDDING_MODEL"):
        encoder_of(load_settings(encoder="endpoint"))
    monkeypatch.setenv("ATENDE_ENCODER", "endpoint")
    monkeypatch.setenv("ATENDE_EMBEDDING_MODEL", "text-embedding-3-small")
    monkeypatch.setenv("OPENAI_API_KEY", "key-0815")
    chosen = encoder_of(load_settings())
    assert isinstance(chosen, EndpointEncoder)
    assert chosen.spare is chosen.for_passages is default_encoder()
    assert "key-0815" not in repr(chosen._endpoint)
    elsewhere = encoder_of(load_settings(embedding_base_url="http://127.0.0.1:9/v1"))
    assert elsewhere.name != chosen.name, "vectors of two places are never mixed"
