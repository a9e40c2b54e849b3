"""When a turn is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.dialogue.turns import OverSpeech, TurnRules, TurnTaking, turn_parts
from speech.errors import ConfigError


def test_pauses_have_to_be_in_order():
    with pytest.raises(ConfigError, match=r"pauses of 0\.6, 0\.5 and 1\.1 s"):
        TurnRules(sure_pause_s=0.6)
    with pytest.raises(ConfigError, match=r"turns\.sure"):
        TurnRules(sure=1.5)
    with pytest.raises(ConfigError, match=r"doubtful 0\.9, sure 0\.8"):
        TurnRules(doubtful=0.9, sure=0.8)


RULES = TurnRules(sure=0.9, doubtful=0.1, sure_pause_s=0.2, doubtful_pause_s=1.0)


@pytest.mark.parametrize(
    ("probability", "pause_s"),
    [(None, 0.5), (0.0, 1.0), (0.1, 1.0), (0.25, 0.8), (0.5, 0.6), (0.75, 0.4), (0.9, 0.2), (1.0, 0.2)],
)
def test_the_surer_the_shorter(probability, pause_s):
    assert RULES.pause_after(probability) == pytest.approx(pause_s)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_pause_never_grows_with_the_probability_and_keeps_its_bounds(one, other):
    longer, shorter = RULES.pause_after(min(one, other)), RULES.pause_after(max(one, other))
    assert 0.2 <= shorter <= longer <= 1.0


def said(turns: TurnTaking, text: str, begin_s: float, end_s: float, language: str | None = "eng") -> bool:
    turns.started()
    turns.stopped(end_s)
    turns.endpoint(end_s)
    return turns.final(text, language)


def test_a_turn_is_over_once_its_pause_has_been_heard():
    turns = TurnTaking(TurnRules())
    assert said(turns, "hello", 0.0, 1.0)
    assert not turns.over(1.49)
    assert turns.over(1.5)
    assert turns.settle().text == "hello"
    assert not turns.over(9.0)


def test_speech_that_has_begun_keeps_a_turn_open():
    turns = TurnTaking(TurnRules())
    said(turns, "hello", 0.0, 1.0)
    turns.started()
    assert not turns.over(9.0)
    turns.stopped(8.5)
    assert not turns.over(9.5)  # what was said then is not known
    turns.endpoint(8.5)
    assert turns.over(9.5)


def test_the_language_of_a_turn_is_that_of_most_of_it():
    turns = TurnTaking(TurnRules())
    said(turns, "sí", 0.0, 1.0, "spa")
    said(turns, "and so we go on", 1.2, 2.0, "eng")
    turn = turns.settle()
    assert (turn.text, turn.language, turn.speech_end_s) == ("sí and so we go on", "eng", 2.0)


def test_all_of_a_turn_is_judged():
    asked = []

    def judge(text, language, heard):
        asked.append((text, language, heard))
        return 0.99

    turns = TurnTaking(TurnRules(), judge)
    said(turns, "I think", 0.0, 1.0)
    turns.started()
    turns.stopped(2.0)
    turns.endpoint(2.0, -1.5)
    turns.final("so", "eng")
    assert asked == [("I think", "eng", None), ("I think so", "eng", -1.5)]
    assert turns.over(2.25)


def test_a_turn_that_goes_on_begins_with_what_was_said():
    turns = TurnTaking(TurnRules())
    said(turns, "I would", 0.0, 1.0)
    taken = turns.settle()
    said(turns, "like tea", 1.6, 2.0)
    turns.reopen(taken)
    assert turns.so_far().text == "I would like tea"


def test_noise_over_our_voice_is_known_by_its_lack_of_words():
    over = OverSpeech(10.0, TurnRules())
    assert not over.nothing(11.4)
    assert over.nothing(11.5)
    over.worded()
    assert not over.nothing(99.0)


def test_behind_words_that_do_not_interrupt_more_is_waited_for():
    over = OverSpeech(10.0, TurnRules(second_word_s=0.5))
    over.worded()
    over.listened("uh")
    over.ended(10.4)
    assert not over.nothing(10.89)
    assert over.nothing(10.9)
    over.again(10.8)
    assert not over.nothing(11.0)
    assert over.text_with("stop it") == "uh stop it"
    assert over.lasted_s(11.5) == pytest.approx(1.5)


def test_behind_speech_without_words_our_voice_goes_on_at_once():
    over = OverSpeech(10.0, TurnRules())
    over.ended(10.4)
    assert over.nothing(10.4)


def test_noise_behind_words_is_noise():
    over = OverSpeech(10.0, TurnRules())
    over.worded()
    over.listened("mhm")
    over.again(10.8)
    assert over.nothing(12.3)


def test_a_word_or_two_wait_for_their_final_text():
    over = OverSpeech(10.0, TurnRules())
    assert over.short("no wait", 10.9)
    assert not over.short("no wait please", 10.5)
    assert not over.short("no", 11.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.05, 3.0)), min_size=1, max_size=12))
def test_a_turn_is_never_over_while_somebody_speaks_or_before_the_shortest_pause(parts):
    turns, now, last = TurnTaking(TurnRules(), lambda text, language, heard: 1.0), 0.0, 0.0
    for spoken, seconds in parts:
        if spoken:
            turns.started()
            assert not turns.over(now + seconds)
            now = last = now + seconds
            turns.stopped(now)
            turns.endpoint(now)
            turns.final("word", None)
        else:
            now += seconds
            assert turns.over(now) == (not turns.empty and now - last >= TurnRules().sure_pause_s)
            if turns.over(now):
                turns.settle()


def test_segments_of_a_dialogue_end_at_its_shortest_pause_and_at_a_usual_one_where_words_die_away():
    rules = turn_parts(0.25, 0.5)
    assert (rules.silence_s, rules.murmured_s) == (0.25, 0.5)
    assert turn_parts(0.5, 0.3).murmured_s == 0.5  # pauses that are not in order are refused elsewhere
