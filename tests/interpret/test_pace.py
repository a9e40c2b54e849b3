"""How fast a translation is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.interpret.pace import USUAL_LETTERS_PER_S, Articulation, SpeakerPace, articulation, carried_pause, catch_up
from speech.interpret.settings import InterpretSettings
from tests.interpret.written import words

SETTINGS = InterpretSettings()
SECONDS = st.floats(0.0, 100.0)


def said_at(rate, text="abcde " * 30, language="fra"):
    """Words of five letters at a rate relative to the usual one."""
    return words(text, seconds=5 / (USUAL_LETTERS_PER_S[language] * rate), language=language)


def test_letters_and_time_without_pauses():
    assert articulation(()) == Articulation()
    assert articulation(words("ab cd, e", seconds=0.5)) == Articulation(5, 1.5)
    assert articulation(words("ab cd", seconds=0.5, gap_s=0.5)) == Articulation(4, 1.0)
    assert articulation(words("ab cd", seconds=0.5, gap_s=0.2)).seconds == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("rate", "least", "most"), [(0.5, 0.75, 0.75), (0.9, 0.9, 0.93), (1.0, 1.0, 1.0), (2, 1.3, 1.3)]
)
def test_the_pace_of_the_speaker_is_found(rate, least, most):
    pace = SpeakerPace()
    assert pace.relative == 1.0
    pace.hear(said_at(rate), "fra", is_final=True)
    assert least - 1e-9 <= pace.relative <= most + 1e-9


def test_few_letters_say_little_and_partial_texts_do_not_count_twice():
    pace = SpeakerPace()
    pace.hear(said_at(1.5, "abcde"), "fra", is_final=False)
    few = pace.relative
    assert 1.0 < few < 1.1
    pace.hear(said_at(1.5, "abcde"), "fra", is_final=False)
    assert pace.relative == few
    pace.hear(said_at(1.5, "abcde"), "fra", is_final=True)
    assert pace.relative == few


def test_a_speaker_who_changes_is_followed():
    pace = SpeakerPace()
    for _ in range(20):
        pace.hear(said_at(1.25), "fra", is_final=True)
    fast = pace.relative
    for _ in range(3):
        pace.hear(said_at(0.8), "fra", is_final=True)
    assert fast > 1.15
    assert pace.relative < 0.9


def test_languages_without_a_usual_rate_say_nothing():
    pace = SpeakerPace()
    pace.hear(words("abcde " * 30, seconds=0.1, language="tlh"), "tlh", is_final=True)
    pace.hear(words("abcde " * 30, seconds=0.1, language="tlh"), None, is_final=True)
    pace.hear((), "fra", is_final=True)
    assert pace.relative == 1.0


@given(SECONDS, SECONDS)
def test_whoever_is_further_behind_hurries_more(one, other):
    nearer, further = sorted((one, other))
    assert 1.0 <= catch_up(nearer, SETTINGS) <= catch_up(further, SETTINGS) <= SETTINGS.fastest


def test_bounds_of_hurry():
    assert catch_up(SETTINGS.easy_s, SETTINGS) == 1.0
    assert catch_up(SETTINGS.late_s, SETTINGS) == SETTINGS.fastest


def test_pauses_are_carried_over_where_there_is_time():
    assert carried_pause(0.2, 9.0, SETTINGS) == 0.0
    assert carried_pause(0.7, 9.0, SETTINGS) == 0.7
    assert carried_pause(0.7, 0.5, SETTINGS) == 0.5
    assert carried_pause(0.7, -1.0, SETTINGS) == 0.0
    assert carried_pause(9.0, 9.0, SETTINGS) == SETTINGS.longest_pause_s
