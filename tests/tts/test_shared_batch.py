"""Utterances of many threads share steps: each says what it says alone, whoever joins, rests, fails or leaves."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.errors import ConfigError
from speech.models.aligned_generation import AlignedStream
from speech.models.aligned_lm import Turn
from speech.models.precision import Precision, with_precision
from speech.nn.cpu.instructions import instructions
from speech.tts.shared_batch import SharedBatch
from tests.skips import NO_TILES
from tests.tiny_aligned_ar import aligned_prompt, tiny_aligned_ar, tiny_aligned_config

EAGER = tiny_aligned_ar()
TEXTS = ["abcdefgh", "gg. ab", "dedede", "h", "abc abc abc", ""]
WAIT_S = 120
"""For threads of a test that fails."""


@cache
def compiled(precision):
    if instructions() is None:
        pytest.skip(NO_TILES)
    return with_precision(EAGER, precision)


class Watched:
    """A model that counts the rows of its steps, and may be told to fail.

    Args:
        model: which steps.
        failing: called with the rows of a step.
    """

    def __init__(self, model=EAGER, failing=lambda rows: None):
        self._model, self._failing, self.rows = model, failing, []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def step(self, state, choose):
        found = self._model.step(state, choose)  # a failure comes after the codes are chosen
        self._failing(state.text.rows)
        self.rows.append(len(state.text.rows))
        return found


def prompt(text, voice=""):
    return aligned_prompt(EAGER, text, voice=voice)


def sampler(seed):
    return Sampler(SamplingConfig(seed=seed, temperature=1.0, top_p=1.0))


def say(batch, text, seed=0, voice=""):
    return batch.say(prompt(text, voice), sampler(seed))


@cache
def alone(model, text, seed=0, voice=""):
    """Packets of codes by a stream of its own."""
    stream, size, found = AlignedStream(model, prompt(text, voice), sampler(seed)), 2, []
    while stream.turn == Turn.frame and not stream.limited:
        found.append(stream.next(size))
        size = min(2 * size, 16)
    return found


def same(found, wanted):
    assert len(found) == len(wanted)
    for packet, codes in zip(found, wanted, strict=True):
        assert torch.equal(packet.codes, codes)


def in_threads(*calls):
    """Results of calls that all run at once."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [work.result(WAIT_S) for work in [pool.submit(call) for call in calls]]


REQUEST = st.tuples(
    st.sampled_from(TEXTS), st.integers(0, 3), st.sampled_from(["", "ab"]), st.sampled_from([None, None, 0, 1, 2])
)


@pytest.mark.parametrize("precision", [None, Precision.float32, Precision.int8], ids=["eager", "float32", "int8"])
@settings(max_examples=8, deadline=None)
@given(st.lists(REQUEST, min_size=2, max_size=6), st.integers(1, 6), st.integers(0, 99))
def test_each_says_what_it_says_alone_whoever_comes_and_goes(precision, requests, rows, seed):
    model = EAGER if precision is None else compiled(precision)
    batch = SharedBatch(model, rows)

    def caller(number, text, own_seed, voice, leaves):
        pause = random.Random(seed + number)
        time.sleep(pause.random() / 50)
        packets, found = say(batch, text, own_seed, voice), []
        for packet in packets:
            found.append(packet)
            time.sleep(pause.choice([0, 0, 0.005]))
            if len(found) == leaves:
                packets.close()
        return found

    calls = [lambda number=number, own=own: caller(number, *own) for number, own in enumerate(requests)]
    for found, (text, own_seed, voice, leaves) in zip(in_threads(*calls), requests, strict=True):
        same(found, alone(model, text, own_seed, voice)[: leaves or None])
    assert torch.equal(next(say(batch, "abc", 5)).codes, alone(model, "abc", 5)[0])


def test_times_and_what_comes_next_are_those_of_a_stream():
    stream = AlignedStream(EAGER, prompt("abcdef"), sampler(1))
    packets = list(say(SharedBatch(EAGER), "abcdef", 1))
    size = 2
    for packet in packets:
        assert torch.equal(packet.codes, stream.next(size))
        assert (packet.said, packet.turn) == (stream.said, stream.turn)
        size = min(2 * size, 16)
    assert packets[-1].turn == Turn.end
    short = tiny_aligned_ar(tiny_aligned_config(max_frames=7))
    *first, last = SharedBatch(short).say(aligned_prompt(short, "abcdef", frames=[2.0] * 6), sampler(1))
    assert [packet.turn for packet in (*first, last)] == [Turn.frame] * 3
    assert last.codes.shape == (3, 1)


def test_one_thread_that_asks_in_turn_steps_all_of_them_together():
    model = Watched()
    batch = SharedBatch(model)
    both = say(batch, "abcdefgh", 1), say(batch, "dedede", 2)
    found = [[], []]
    for _ in range(3):
        for own, packets in zip(found, both, strict=True):
            own.append(next(packets))
    for own, (text, seed) in zip(found, [("abcdefgh", 1), ("dedede", 2)], strict=True):
        same(own, alone(EAGER, text, seed)[:3])
    assert model.rows.count(2) >= 10
    assert len(model.rows) < 2 * (2 + 4 + 8)


def test_what_nobody_takes_is_made_one_packet_ahead():
    model = Watched()
    batch = SharedBatch(model)
    waits, goes = say(batch, "abcdefgh abcdefgh", 1), say(batch, "abcdefgh", 2)
    next(waits)
    model.rows.clear()
    frames = sum(packet.codes.shape[1] for packet in goes)
    assert frames > 16
    assert model.rows == [2] * 4 + [1] * (frames - 4)  # the four frames of the packet that nobody takes
    model.rows.clear()
    assert next(waits).codes.shape == (3, 4)
    assert model.rows == []  # it was there
    next(waits)
    assert model.rows == [1] * 8


def test_who_stops_is_stepped_no_further_and_leaves_nothing():
    model = Watched()
    batch = SharedBatch(model)
    stops, goes = say(batch, "abcdefgh", 1), say(batch, "abcdefgh", 2)
    next(stops)
    next(goes)
    stops.close()
    model.rows.clear()
    same(list(goes), alone(EAGER, "abcdefgh", 2)[1:])
    assert set(model.rows) == {1}
    assert (batch._living, batch._going.state, batch._resting.state) == ([], None, None)


@pytest.mark.parametrize("rows", [1, 2])
def test_more_than_there_is_room_for_take_turns(rows):
    model = Watched()
    batch = SharedBatch(model, rows)
    found = in_threads(*[lambda seed=seed: list(say(batch, "abcdef", seed)) for seed in range(4)])
    for seed, own in enumerate(found):
        same(own, alone(EAGER, "abcdef", seed))
    assert max(model.rows) == rows


def test_who_comes_while_others_speak_is_served_before_they_end():
    batch, order = SharedBatch(EAGER, 1), []
    begun = threading.Event()

    def long():
        for packet in say(batch, "abcdefgh abc", 1):
            begun.set()
            order.append(("long", packet.codes.shape[1]))

    def short():
        begun.wait(WAIT_S)
        order.extend(("short", packet.codes.shape[1]) for packet in say(batch, "h", 2))

    in_threads(long, short)
    assert order.index(("short", 2)) < len(order) - 1 - [name for name, _ in order[::-1]].index("long")


def test_an_error_of_one_utterance_does_not_touch_the_others():
    def failing(rows):
        if any(len(row.symbols) == 3 and len(row.frame_counts) == 2 for row in rows):
            raise ValueError("the second of three symbols")

    model = Watched(failing=failing)
    batch = SharedBatch(model)
    wrong, right, other = say(batch, "abc", 1), say(batch, "abcdefgh", 2), say(batch, "dedede", 3)
    found = {"right": [], "other": []}
    raised = []
    for _ in range(4):
        found["right"].append(next(right))
        found["other"].append(next(other))
        if not raised:
            try:
                next(wrong)
            except ValueError as error:
                raised.append(str(error))
    assert raised == ["the second of three symbols"]
    same(found["right"], alone(EAGER, "abcdefgh", 2)[:4])
    same(found["other"], alone(EAGER, "dedede", 3)[:4])
    assert 2 in model.rows


class Interrupted(BaseException):
    """As Ctrl-C."""


def test_a_step_that_is_broken_off_reaches_all_callers_and_the_next_ones_are_said():
    entered, release, armed = threading.Event(), threading.Event(), [True]

    def failing(rows):
        if len(rows) == 3 and armed:
            armed.clear()
            raise Interrupted
        if armed:
            entered.set()
            release.wait(WAIT_S)

    batch = SharedBatch(Watched(failing=failing))

    def caller(text):
        try:
            return [packet.codes for packet in say(batch, text)]
        except (RuntimeError, Interrupted) as error:
            return error

    with ThreadPoolExecutor(3) as pool:
        works = [pool.submit(caller, "abcdefgh")]
        assert entered.wait(WAIT_S)
        works += [pool.submit(caller, text) for text in ("dedede", "gg. ab")]
        while len(batch._living) < 3:
            time.sleep(0.001)
        release.set()
        found = [work.result(WAIT_S) for work in works]
    assert sorted(type(one).__name__ for one in found) == ["Interrupted", "RuntimeError", "RuntimeError"]
    assert all("broken off: Interrupted" in str(one) for one in found if isinstance(one, RuntimeError))
    same(list(say(batch, "dedede")), alone(EAGER, "dedede"))


def test_an_error_in_a_draw_is_one_of_all():
    class Broken(Sampler):
        def keep(self, codebook, code):
            raise ValueError("no memory")

    batch = SharedBatch(EAGER)
    first = say(batch, "abcdefgh", 1)
    next(first)
    with pytest.raises(RuntimeError, match="ValueError: no memory"):
        next(batch.say(prompt("abc"), Broken(SamplingConfig())))
    with pytest.raises(RuntimeError, match="ValueError: no memory"):
        list(first)
    same(list(say(batch, "dedede")), alone(EAGER, "dedede"))


def test_what_does_not_fit_is_an_error_of_its_own():
    batch = SharedBatch(EAGER)
    with pytest.raises(ConfigError, match="Take AlignedStream"):
        next(batch.say(aligned_prompt(EAGER, "a", ended=False), sampler(0)))
    with pytest.raises(ConfigError, match="a speaking rate of 9"):
        next(batch.say(aligned_prompt(EAGER, "a", rate=9.0), sampler(0)))
    assert list(say(batch, "")) == []
    assert batch._living == []
    with pytest.raises(ConfigError, match="a batch of 0 rows"):
        SharedBatch(EAGER, 0)


def test_an_iterator_may_be_closed_by_a_thread_that_holds_the_lock():
    """As a collector of garbage does."""
    batch = SharedBatch(EAGER)
    packets = say(batch, "abcdefgh")
    next(packets)
    with batch._lock:
        packets.close()
    same(list(say(batch, "dedede")), alone(EAGER, "dedede"))
    assert batch._going.state is None
