"""Average token delay, against values of SimulEval 1.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.metrics.token_delay import HeardChunk, average_token_delay, token_delays

TENTHS = st.integers(1, 30).map(lambda tenths: tenths / 10)


def heard(received, lengths):
    """Chunks that are heard as soon as may be."""
    chunks, end_s = [], 0.0
    for received_s, length_s in zip(received, lengths, strict=True):
        start_s = max(received_s, end_s)
        end_s = start_s + length_s
        chunks.append(HeardChunk(received_s, start_s, end_s))
    return chunks


@pytest.mark.parametrize(
    ("received", "lengths", "value"),
    [([1.0, 2.0, 3.0], [0.9, 0.6, 1.2], 1.4222222), ([2.5], [2.0], 2.4857143), ([0.7, 1.5], [2.4, 0.3], 1.5222222)],
)
def test_values_of_simuleval(received, lengths, value):
    assert average_token_delay(heard(received, lengths)) == pytest.approx(value, abs=1e-6)


def test_nothing_heard():
    assert average_token_delay([]) is None


@given(st.lists(st.tuples(TENTHS, TENTHS), min_size=1, max_size=8), st.floats(0.1, 5.0))
def test_whoever_is_heard_later_is_later_by_as_much(talk, later_s):
    received = [sum(step for step, _ in talk[: place + 1]) for place in range(len(talk))]
    chunks = heard(received, [length for _, length in talk])
    moved = [HeardChunk(one.received_s, one.start_s + later_s, one.end_s + later_s) for one in chunks]
    one, other = token_delays(chunks), token_delays(moved)
    assert sum(other) / len(other) == pytest.approx(sum(one) / len(one) + later_s, abs=1e-6)
