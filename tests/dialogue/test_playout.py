"""A reply's way to the listener."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speech.dialogue.playout import Playout
from speech.tts.speech_stream import SaidWord

RATE = 100


def ramp(seconds: float, first: int = 0) -> np.ndarray:
    """Samples that are all different."""
    return np.arange(first, first + round(seconds * RATE), dtype=np.float32)


def word(text: str, start_s: float, end_s: float) -> SaidWord:
    return SaidWord(text, start_s, end_s, 0, len(text))


def test_samples_leave_as_far_ahead_as_the_lead() -> None:
    playout = Playout(RATE, 0.2)
    playout.push(ramp(1.0), [])
    assert len(playout.take(5.0)) == 20
    assert len(playout.take(5.0)) == 0
    assert len(playout.take(5.1)) == 10
    assert playout.played_s(5.1) == np.float64(5.1) - 5.0


def test_a_late_packet_moves_what_follows() -> None:
    playout = Playout(RATE, 0.2)
    playout.push(ramp(0.1), [])
    assert len(playout.take(0.0)) == 10
    assert len(playout.take(1.0)) == 0
    assert playout.played_s(1.0) == 0.1
    playout.push(ramp(1.0), [])
    assert len(playout.take(2.0)) == 20
    assert abs(playout.played_s(2.1) - 0.2) < 1e-9


def test_it_goes_on_with_the_word_that_was_cut() -> None:
    playout = Playout(RATE, 0.2)
    playout.push(ramp(2.0), [word("one", 0.0, 0.4), word("two", 0.45, 0.9), word("three", 1.0, 1.8)])
    sent = [playout.take(0.02 * step) for step in range(31)]
    playout.hold(0.6, again=True)
    assert playout.next_s(0.7, 0.04) == 0.7  # only the caller knows that it waits
    assert playout.played_s(10.0) == 0.45
    more = playout.take(10.0)
    assert (more[0], len(more)) == (45, 20)
    assert np.concatenate(sent)[-1] == 79


def test_a_listener_that_forgets_nothing_gets_nothing_twice() -> None:
    playout = Playout(RATE, 0.2)
    playout.push(ramp(2.0), [word("one", 0.0, 0.9)])
    first = playout.take(0.0)
    playout.hold(0.1, again=False)
    rest = playout.take(9.0)
    assert (first[-1], rest[0]) == (19, 20)


def test_words_count_as_heard_from_their_middle_on() -> None:
    playout = Playout(RATE, 0.5)
    playout.push(ramp(2.0), [word("one", 0.0, 0.4), word("two", 0.4, 0.8)])
    assert playout.heard(0.0) == []
    playout.take(0.0)
    playout.take(0.3)
    assert [one.text for one in playout.heard(0.5)] == ["one"]
    assert [one.text for one in playout.heard(0.61)] == ["one", "two"]
    assert [one.text for one in playout.words_between(0.3, 0.5)] == ["two"]


def test_it_is_over_when_all_has_been_played() -> None:
    playout = Playout(RATE, 0.2)
    playout.push(ramp(0.3), [])
    playout.take(0.0)
    playout.finish()
    assert not playout.over(0.2)
    assert playout.ends_s(0.0) is None
    playout.take(0.2)
    assert not playout.over(0.2)
    ends_s = playout.ends_s(0.2)
    assert ends_s is not None
    assert abs(ends_s - 0.3) < 1e-9
    assert playout.over(0.31)


def test_all_has_left_once_no_more_will_come_and_not_where_it_is_said_again() -> None:
    playout = Playout(RATE, 0.5)
    playout.push(ramp(0.4), [word("one", 0.0, 0.2), word("two", 0.2, 0.4)])
    assert len(playout.take(0.0)) == 40
    assert not playout.all_sent
    playout.finish()
    assert playout.all_sent
    playout.hold(0.3, again=True)
    assert not playout.all_sent
    assert len(playout.take(1.0)) == 20
    assert playout.all_sent


def test_nothing_at_all_is_over_at_once() -> None:
    playout = Playout(RATE, 0.2)
    playout.finish()
    assert len(playout.take(0.0)) == 0
    assert playout.over(0.0)


@given(
    pieces=st.lists(st.integers(0, 60), min_size=1, max_size=8),
    steps=st.lists(st.floats(0.0, 0.5), min_size=1, max_size=60),
    lead_s=st.sampled_from([0.05, 0.2, 1.0]),
)
def test_what_leaves_is_what_was_made_in_order_and_never_too_early(
    pieces: list[int], steps: list[float], lead_s: float
) -> None:
    playout, made, now, sent = Playout(RATE, lead_s), 0, 0.0, list[float]()
    waiting = list(pieces)
    for step in [*steps, *[0.04] * 250]:
        if waiting:
            count = waiting.pop(0)
            playout.push(ramp(count / RATE, made), [])
            made += count
        samples = playout.take(now)
        sent += samples.tolist()
        assert len(sent) / RATE - playout.played_s(now) <= lead_s + 1 / RATE
        now += step
    assert sent == list(range(made))
