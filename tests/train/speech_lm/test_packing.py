"""Rows of an epoch: each utterance once, no row too long, voices behind their own."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.train.speech_lm.packing import EpochPlan, packed_rows


def plan(lengths: list[int], speakers: list[str], prompted: float, seed: int = 0, places: int = 50) -> EpochPlan:
    return EpochPlan(lengths, speakers, places, prompted, np.random.default_rng(seed))


def test_items_fill_the_first_row_with_room():
    assert packed_rows([6, 5, 4, 5, 1], 10) == [[0, 2], [1, 3], [4]]
    assert packed_rows([], 10) == []


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 20), max_size=120))
def test_every_item_is_packed_once_and_no_row_is_too_long(lengths):
    rows = packed_rows(lengths, 20)
    assert sorted(item for row in rows for item in row) == list(range(len(lengths)))
    assert all(0 < sum(lengths[item] for item in row) <= 20 for row in rows)


def test_rows_are_nearly_full():
    lengths = np.random.default_rng(0).integers(5, 60, 500).tolist()
    rows = packed_rows(lengths, 200)
    assert sum(lengths) > 0.95 * 200 * len(rows)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 50), st.sampled_from(["", "a", "b"])), min_size=1, max_size=60), st.data())
def test_every_utterance_ends_one_request_and_follows_its_own_speaker(utterances, data):
    lengths, speakers = [length for length, _ in utterances], [speaker for _, speaker in utterances]
    found = plan(lengths, speakers, data.draw(st.floats(0, 1)), data.draw(st.integers(0, 99)))
    requests = [request for row in found.rows for request in row]
    assert sorted(request[-1] for request in requests) == list(range(len(lengths)))
    for row in found.rows:
        assert sum(lengths[n] for request in row for n in request) <= 50
    for request in requests:
        assert len(request) <= 2
        if len(request) == 2:
            assert request[0] != request[1]
            assert speakers[request[0]] == speakers[request[1]] != ""


def test_the_share_of_prompted_requests_is_that_asked_for():
    lengths, speakers = [5] * 600, ["a", "b", "c"] * 200
    for share in (0.0, 0.4, 1.0):
        found = plan(lengths, speakers, share)
        prompted = [len(request) == 2 for row in found.rows for request in row]
        assert abs(np.mean(prompted) - share) < 0.06


def test_a_seed_plans_the_same_and_another_otherwise():
    lengths, speakers = list(range(1, 40)), ["a"] * 39
    assert plan(lengths, speakers, 0.5, 1).rows == plan(lengths, speakers, 0.5, 1).rows
    assert plan(lengths, speakers, 0.5, 1).rows != plan(lengths, speakers, 0.5, 2).rows
