"""The verdict: marked or not, where, with which message, at which speed."""

from dataclasses import replace

import numpy as np
import pytest

from speech.tts.watermark_listening import MarkLogits
from speech.tts.watermark_message import SIGNS
from speech.tts.watermark_verdict import marked_runs, strongest, verdict, window_scores
from tests.tiny_watermark import tiny_threshold

ANY = tiny_threshold(10.0, 0.0)


def heard(marked: np.ndarray, message: int = 77, speed: float = 1.0, sure: float = 2.0) -> MarkLogits:
    """Frames of .01 s, ten to a step; where there is no mark the bits say the opposite."""
    steps = marked.reshape(-1, 10).mean(axis=1) > 0.5
    bits = 0.1 * np.where(steps[:, None], sure * SIGNS[message], -3.0 * SIGNS[message])
    return MarkLogits(speed, 0.01, np.where(marked, 3.0, -6.0), bits)


def somewhere(count: int, *parts: tuple[int, int]) -> np.ndarray:
    marked = np.zeros(count, bool)
    for start, end in parts:
        marked[start:end] = True
    return marked


def test_a_verdict_names_place_and_message():
    found = verdict([heard(somewhere(1000, (200, 450), (700, 850)))], ANY)
    assert found.marked
    assert (found.message, found.speed) == (77, 1.0)
    assert found.score == pytest.approx(16 * 2.0 * 2.5 / (1 + np.exp(-3)), rel=0.05)  # the best four seconds
    assert len(found.segments) == 2
    for segment, (start_s, end_s) in zip(found.segments, [(2.0, 4.5), (7.0, 8.5)], strict=True):
        assert segment.start_s == pytest.approx(start_s, abs=0.1)
        assert segment.end_s == pytest.approx(end_s, abs=0.1)


def test_the_speed_with_the_strongest_evidence_is_believed_and_times_are_those_of_the_recording():
    other = heard(somewhere(1000, (200, 450)), 5, sure=0.5)
    found = verdict([other, heard(somewhere(1250, (250, 500)), speed=1.25), other], ANY)
    assert (found.message, found.speed) == (77, 1.25)
    (segment,) = found.segments
    assert segment.start_s == pytest.approx(2.0, abs=0.1)
    assert segment.end_s == pytest.approx(4.0, abs=0.1)


def test_more_is_asked_at_other_speeds():
    own, played = heard(somewhere(400, (0, 400)), 5), heard(somewhere(400, (0, 400)), 6, speed=1.06, sure=3.0)
    more = strongest([played], ANY).evidence - strongest([own], ANY).evidence
    assert more > 0
    for asked, message, speed in ((more - 0.1, 6, 1.06), (more + 0.1, 5, 1.0)):
        found = verdict([own, played], replace(ANY, played=asked))
        assert (found.message, found.speed) == (message, speed)
        assert found.threshold == ANY.evidence + (asked if speed != 1.0 else 0.0)
    assert not verdict([played], replace(ANY, played=1000.0)).marked


def test_what_stays_below_the_threshold_has_neither_place_nor_message():
    one = heard(somewhere(400, (0, 400)), speed=1.06)
    score = strongest([one], ANY).evidence
    found = verdict([one], tiny_threshold(score + 0.1))
    assert (found.marked, found.segments, found.message, found.speed) == (False, (), None, 1.0)
    assert found.score == score
    assert verdict([one], tiny_threshold(score)).marked


def test_more_is_asked_of_a_longer_recording():
    found = verdict([heard(somewhere(40000, (0, 400)))], ANY)
    assert found.threshold == pytest.approx(10 + 0.5 * np.log(100))


def test_a_mark_anywhere_in_a_long_recording_has_the_evidence_of_a_short_one():
    alone = strongest([heard(somewhere(400, (0, 400)))], ANY)
    for start in (0, 50000, 199600):
        found = strongest([heard(somewhere(200000, (start, start + 400)))], ANY)
        assert found.evidence == pytest.approx(alone.evidence, rel=1e-3)
        assert found.message == 77


def test_a_message_that_two_parts_say_differently_is_not_read():
    one, other = (heard(somewhere(500, (0, 500)), message) for message in (5, 6))
    both = MarkLogits(1.0, 0.01, np.concatenate([one.presence, other.presence]), np.concatenate([one.bits, other.bits]))
    found = verdict([both], ANY)
    assert found.marked
    assert found.message is None


def test_bits_that_agree_with_the_message_tell_where_presence_is_unsure():
    marked = somewhere(1000, (300, 700))
    unsure = heard(marked)._replace(presence=np.where(marked, -1.0, -1.2))
    (segment,) = verdict([unsure], ANY).segments
    assert segment.start_s == pytest.approx(3.0, abs=0.1)
    assert segment.end_s == pytest.approx(7.0, abs=0.1)


def test_short_gaps_are_bridged_and_moments_dropped():
    marked = np.ones(1000, bool)
    marked[300:330] = False
    assert marked_runs(np.where(marked, 3.0, -3.0), 0.01, 0.0) == [(0, 1000)]
    marked[400:900] = False
    marked[600:610] = True
    (first, last), *rest = marked_runs(np.where(marked, 3.0, -3.0), 0.01, 0.0)
    assert (first, len(rest)) == (0, 1)
    assert last == pytest.approx(400, abs=3)


def test_windows_are_a_second_long_and_a_short_recording_is_one():
    presence = np.concatenate([np.zeros(100), np.ones(100)])
    scores = window_scores(presence, 0.01)
    np.testing.assert_allclose(scores, np.arange(0, 1.01, 0.1))
    np.testing.assert_allclose(window_scores(presence[150:], 0.01), [1.0])
