import threading

import numpy as np
import pytest

from agent.encoder import EncoderUnavailableError, UniversalSentenceEncoder, check_weights, default_encoder


def test_that_vectors_are_unit_length_and_near_for_near_meanings_across_languages():
    encoder = default_encoder()
    same, other_language, unrelated = encoder.encode(["onde esta meu pedido", "where is my order", "gosto de futebol"])
    assert same.shape == (encoder.dim,)
    assert same.dtype == np.float32
    assert np.linalg.norm(same) == pytest.approx(1, abs=1e-4)
    assert same @ other_language > 0.6 > same @ unrelated + 0.2


def test_that_the_same_text_gives_the_same_vector_alone_in_a_batch_and_from_the_cache():
    batch = UniversalSentenceEncoder().encode(["troca", "prazo de entrega", "troca"])
    encoder = UniversalSentenceEncoder(cached_texts=1)
    first, again = encoder.encode(["troca"])[0], encoder.encode(["troca"])[0]
    assert np.array_equal(first, again)
    assert np.array_equal(batch[0], batch[2])
    assert np.allclose(first, batch[0], atol=1e-4)


def test_that_no_text_and_undecodable_text_are_encoded_too():
    encoder = default_encoder()
    assert encoder.encode([]).shape == (0, encoder.dim)
    assert np.isfinite(encoder.encode(["", "\ud800"])).all()


def test_that_threads_share_one_encoder():
    encoder = default_encoder()
    texts = [f"mensagem numero {number}" for number in range(40)]
    expected = encoder.encode(texts)
    wrong: list[int] = []

    def read(start: int) -> None:
        for number in range(start, len(texts), 4):
            if not np.allclose(encoder.encode([texts[number]])[0], expected[number], atol=1e-4):
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_that_weights_other_than_the_pinned_ones_are_refused(tmp_path):
    with pytest.raises(EncoderUnavailableError, match=r"sp\.model is not there"):
        check_weights(tmp_path)
    (tmp_path / "sp.model").write_bytes(b"something else")
    with pytest.raises(EncoderUnavailableError, match="another content") as refusal:
        check_weights(tmp_path)
    assert "lock file" in refusal.value.sentence()
    check_weights()
