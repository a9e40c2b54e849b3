"""When segments end: each rule, and that nothing behind a decision matters."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.audio.vad import FRAME_S
from speech.decode.endpoint import Endpoint, EndpointConfig, Endpointer, Reason
from speech.errors import ConfigError

CONFIG = EndpointConfig(silence_s=0.32, soft_s=2.0, soft_silence_s=0.16, idle_s=1.0, max_s=4.0)
SILENCE, SOFT, IDLE, LONGEST = 10, 5, 31, 125


def run(probabilities: list[float], config: EndpointConfig = CONFIG) -> list[tuple[int, Endpoint]]:
    """(frames heard when it was decided, endpoint)"""
    endpointer = Endpointer(config)
    found = [(number, endpointer.step(p)) for number, p in enumerate(probabilities, start=1)]
    return [(number, endpoint) for number, endpoint in found if endpoint is not None]


def test_a_pause_after_speech_ends_a_segment_in_its_middle():
    heard, endpoint = run([0.0] * 5 + [0.9] * 20 + [0.0] * 15)[0]
    assert (heard, endpoint.speech_end) == (25 + SILENCE, 25)
    assert endpoint.frame == 25 + SILENCE - SILENCE // 2
    assert endpoint.quiet
    assert endpoint.reason is Reason.silence


def test_a_pause_that_is_too_short_does_not():
    assert not run(([0.9] * 10 + [0.0] * (SILENCE - 1)) * 2)


MURMURED = replace(CONFIG, murmured_s=0.64)


def test_a_word_that_dies_away_is_not_cut():
    tail = [0.3, 0.23, 0.3, 0.34, 0.33, 0.31, 0.2, 0.09, 0.33, 0.2, 0.13]
    heard, endpoint = run([0.9] * 20 + tail + [0.0] * 20, MURMURED)[0]
    assert heard == 20 + len(tail) + SILENCE // 2
    assert (endpoint.frame, endpoint.reason) == (20 + len(tail), Reason.silence)
    assert run([0.9] * 20 + tail + [0.0] * 20)[0][1].frame < 20 + len(tail)  # without the rule


def test_what_does_not_die_away_ends_a_segment_after_a_longer_pause():
    assert run([0.9] * 20 + [0.3] * 40, MURMURED)[0][0] == 20 + 2 * SILENCE


def test_a_moment_of_murmur_in_a_pause_does_not_make_it_longer():
    assert run([0.9] * 20 + [0.3] * 5 + [0.0] * 20, MURMURED)[0][0] == 20 + SILENCE


def test_in_a_long_segment_a_short_pause_is_enough():
    heard, endpoint = run([0.9] * 70 + [0.0] * 8)[0]
    assert (heard, endpoint.speech_end, endpoint.reason) == (70 + SOFT, 70, Reason.silence)


def test_speech_lasts_until_its_probability_is_well_below_the_threshold():
    assert not run([0.9, *[0.4] * 30])
    assert run([0.9, *[0.3] * 30])


def test_silence_is_cut_off_after_a_while():
    heard, endpoint = run([0.0] * 40)[0]
    assert (heard, endpoint.reason, endpoint.speech_end) == (IDLE, Reason.no_speech, 0)


def test_a_segment_in_which_nobody_can_have_spoken_is_silent():
    assert run([0.05] * 40)[0][1].silent
    assert not run([0.05] * 10 + [0.2] + [0.05] * 30)[0][1].silent


def test_without_a_pause_it_is_cut_where_speech_is_least_likely():
    track = [0.9] * LONGEST
    track[95:100] = [0.6] * 5
    heard, endpoint = run(track)[0]
    assert (heard, endpoint.frame, endpoint.reason, endpoint.quiet) == (LONGEST, 97, Reason.max_length, False)


def test_speech_behind_a_cut_belongs_to_the_next_segment():
    track = [0.9] * LONGEST
    track[95:100] = [0.6] * 5
    first, second = run(track + [0.0] * SILENCE)
    assert second[1].speech_end == LONGEST
    assert second[1].frame > first[1].frame


def test_a_client_may_end_a_segment():
    endpointer = Endpointer(CONFIG)
    assert all(endpointer.step(0.9) is None for _ in range(7))
    endpoint = endpointer.cut(Reason.client)
    assert (endpoint.frame, endpoint.speech_end, endpoint.quiet) == (7, 7, False)
    assert endpointer.start == 7


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]), max_size=600), st.integers(0, 600))
def test_segments_follow_each_other_and_the_future_changes_nothing(track, length):
    found = run(track)
    begin = 0
    for heard, endpoint in found:
        assert begin < endpoint.frame <= heard
        assert begin <= endpoint.speech_end <= endpoint.frame
        assert heard - begin <= LONGEST
        begin = endpoint.frame
    assert [item for item in found if item[0] <= length] == run(track[:length])


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]), max_size=300), st.booleans())
def test_what_a_pause_is_expected_to_end_in_is_what_it_ends_in(track, murmured):
    config = MURMURED if murmured else CONFIG
    endpointer = Endpointer(config)
    for place, probability in enumerate(track, start=1):
        endpointer.step(probability)
        expected = endpointer.expected()
        if expected is None:
            continue
        assert expected.frame <= place
        silence = run([*track[:place], *[0.0] * SILENCE], config)
        assert expected == next(end for heard, end in silence if heard > place)


def test_a_pause_is_expected_to_last_when_most_of_it_has():
    endpointer, seen = Endpointer(CONFIG), []
    for probability in [0.0] * 5 + [0.9] * 20 + [0.0] * (SILENCE - 1):
        endpointer.step(probability)
        seen.append(endpointer.expected())
    assert seen[: 25 + 6 - 1] == [None] * 30
    assert seen[30:] == [Endpoint(30, 25, True, False, Reason.silence)] * 4
    endpointer.step(0.9)
    assert endpointer.expected() is None


def test_a_long_pause_is_expected_to_last_when_three_quarters_of_it_have_passed():
    endpointer, seen = Endpointer(replace(CONFIG, silence_s=0.64)), []
    for probability in [0.9] * 20 + [0.0] * (2 * SILENCE - 1):
        endpointer.step(probability)
        seen.append(endpointer.expected())
    assert [number for number, expected in enumerate(seen, 1) if expected] == [35, 36, 37, 38, 39]


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 1.0},
        {"murmur": 0.6},
        {"silence_s": 9.0},
        {"soft_silence_s": 0.0},
        {"max_s": 3.0},
        {"idle_s": 0.1},
        {"murmured_s": 0.4},
    ],
)
def test_contradictions_are_refused(wrong):
    with pytest.raises(ConfigError):
        EndpointConfig(**wrong)


def test_durations_are_whole_frames():
    assert pytest.approx(0.032) == FRAME_S


def test_a_segment_can_end_where_words_have_ended_though_the_detector_hears_speech():
    endpointer = Endpointer(CONFIG)
    assert not any(endpointer.step(0.9) for _ in range(60))
    endpoint = endpointer.cut_blanks(20, 40)
    assert (endpoint.frame, endpoint.speech_end, endpoint.reason, endpoint.quiet) == (40, 20, Reason.blanks, True)
    assert endpointer.speech_begin == 40  # what was heard behind the cut belongs to the next segment
    assert endpointer.cut(Reason.client).frame == 60


def test_blanks_shorter_than_the_shortest_pause_are_refused():
    with pytest.raises(ConfigError, match="blank_s"):
        EndpointConfig(blank_s=0.1)
