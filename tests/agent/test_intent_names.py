"""What an intent is called says the same in every process."""

from __future__ import annotations

import numpy as np

from agent.encoder import UniversalSentenceEncoder
from agent.intent_names import named_vectors


def test_that_a_name_has_the_same_vector_whatever_was_known_before() -> None:
    class Fresh(UniversalSentenceEncoder):
        name = "fresh"

    class Used(UniversalSentenceEncoder):
        name = "used"

    names = ["order_status", "opening_hours", "refund_not_showing_up_in_the_account", "exchange"]
    named_vectors(names[:1], Used())
    named_vectors(names[2:3], Used())
    before, after = named_vectors(names, Fresh()), named_vectors(names, Used())
    assert before.keys() == after.keys() == {0, 1, 2, 3}
    for place in before:
        assert before[place][0] == after[place][0]
        assert np.array_equal(before[place][1], after[place][1])
