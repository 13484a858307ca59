import numpy as np
import pytest

from agent.e5 import E5, MAX_TOKENS
from agent.encoder import AccurateEncoder, EncoderUnavailableError, accurate_encoder, checked_e5_file, default_encoder
from agent.normalise import normalise


@pytest.fixture(scope="module")
def e5():
    return E5(checked_e5_file())


def test_that_a_text_is_cut_as_the_model_was_trained_to_read_it(e5):
    # Numbers of the pieces as the tokenizers library (Unigram) gives them for this vocabulary.
    assert e5.ids("onde esta meu pedido") == [0, 39, 905, 12, 2927, 1106, 2468, 14925, 2]
    assert e5.ids("  ¿dónde   está? 日本 🙏") == [0, 39, 905, 12, 2269, 30731, 102, 1072, 31, 13476, 6, 3, 2]
    assert len(e5.ids("pedido " * 600)) == MAX_TOKENS


def test_that_texts_laid_end_to_end_do_not_see_each_other(e5):
    texts = [
        e5.ids(text) for text in ("troca", "qual o prazo de entrega para o interior", "oi", "onde esta meu pedido")
    ]
    together = e5.encode(texts)
    alone = np.concatenate([e5.encode([ids]) for ids in texts])
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    # Eight-bit arithmetic rounds a little otherwise in a larger product.
    assert (together * alone).sum(axis=1).min() > 0.999


def test_that_near_meanings_lie_near_each_other_across_languages(e5):
    asked, same, other = e5.encode(
        [e5.ids(t) for t in ("onde esta meu pedido", "where is my order", "gosto de futebol")]
    )
    assert asked @ same > asked @ other + 0.05


def test_that_the_accurate_encoder_puts_both_side_by_side_by_weight():
    encoder = accurate_encoder()
    (row,) = encoder.encode(["onde esta meu pedido"])
    widths = [width for width, _ in encoder.parts]
    parts = np.split(row, np.cumsum(widths)[:-1])
    assert row.shape == (encoder.dim,) == (sum(widths),)
    assert [part @ part for part in parts] == pytest.approx([weight for _, weight in encoder.parts], abs=1e-4)
    assert np.allclose(
        parts[0] / np.linalg.norm(parts[0]), default_encoder().encode(["onde esta meu pedido"])[0], atol=1e-4
    )
    assert encoder.for_passages is default_encoder()
    assert np.isfinite(encoder.encode(["", "\ud800", "a" * 5_000])).all()


def test_that_a_batch_of_many_lengths_gives_what_each_text_gives_alone():
    texts = [normalise(" ".join(["quero trocar"] * times)) for times in (1, 30, 2, 40, 3)]
    batch = AccurateEncoder(default_encoder()).encode(texts)
    alone = np.concatenate([AccurateEncoder(default_encoder(), cached_texts=0).encode([text]) for text in texts])
    assert (batch * alone).sum(axis=1).min() > 0.999


def test_that_other_weights_are_refused(tmp_path):
    with pytest.raises(EncoderUnavailableError, match="is not there"):
        checked_e5_file(tmp_path)
    (tmp_path / "e5-small-enpt-q4.bin").write_bytes(b"E5S1")
    with pytest.raises(EncoderUnavailableError, match="another content"):
        checked_e5_file(tmp_path)
