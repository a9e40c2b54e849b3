"""What each rule costs where it is broken, and that it costs nothing where it is kept."""

from __future__ import annotations

import pytest

from speech.data.code_switching.judges import ACCEPTED, WEIGHTS, Fault, Judgement, RuleJudge, function_words, names
from speech.data.code_switching.mixture import Mixture, Point, SentencePair

ONE = "we often see large houses near our old river"
OTHER = "wir sehen oft grosse haeuser nahe unserem alten fluss"
WORDS = RuleJudge({"eng": frozenset({"near", "our", "we"}), "deu": frozenset({"nahe", "unserem", "wir"})})


def mixture(
    *points: int | Point,
    one: str = ONE,
    other: str = OTHER,
    links: set[Point] | None = None,
    start: int = 0,
) -> Mixture:
    """Word N is linked to word N unless links are given; a point N is behind N words of both."""
    words = tuple(one.split()), tuple(other.split())
    found = {(n, n) for n in range(min(map(len, words)))} if links is None else links
    ends = tuple((point, point) if isinstance(point, int) else point for point in points)
    return Mixture(SentencePair(("eng", "deu"), words, frozenset(found)), ends, start)


def faults(found: Mixture, target: float = 1 / 3, judges: RuleJudge = WORDS) -> list[tuple[int, str, float]]:
    return [(one.part, one.what, pytest.approx(one.points)) for one in judges.judge(found, target).faults]


def test_weights_of_the_aspects_sum_to_one_and_a_sentence_without_fault_gets_all_points() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    verdict = WORDS.judge(mixture(3), 1 / 3)
    assert verdict.faults == ()
    assert verdict.scores == dict.fromkeys(WEIGHTS, 10.0)
    assert verdict.total == pytest.approx(10.0)
    assert verdict.accepted


def test_a_switch_where_the_word_orders_differ_costs_six_of_fluency() -> None:
    crossed = {(0, 0), (1, 2), (2, 1), *((n, n) for n in range(3, 9))}
    found = mixture(2, links=crossed)
    assert (1, "word orders differ here", 6.0) in faults(found)
    assert faults(mixture(3, links=crossed)) == []


def test_words_said_twice_or_left_out_cost_their_share_of_ten() -> None:
    crossed = {(0, 0), (1, 2), (2, 1), *((n, n) for n in range(3, 9))}
    said = [cost for _, what, cost in faults(mixture(2, links=crossed)) if what == "words left out or said twice"]
    assert said == [pytest.approx(10.0 * 2 / 9)]


def test_a_word_without_a_counterpart_at_the_switch_costs_two_of_fluency() -> None:
    links = {(n, n) for n in range(9) if n != 3}
    assert faults(mixture(3, links=links)) == [(1, "a word without a counterpart at the switch", 2.0)]
    assert faults(mixture(3, links={(n, n) for n in range(9) if n != 7})) == []


def test_a_part_without_words_forbids_a_sentence() -> None:
    found = WORDS.judge(mixture(3, 3), 1 / 3)
    assert found.scores["fluency"] == 0.0
    assert not found.accepted
    with_names = RuleJudge({}, frozenset({"see", "sehen", "grosse"}))
    assert not with_names.judge(mixture(3, 3), 1 / 3).accepted


def test_more_switches_than_one_in_two_and_a_half_words_cost_three_each() -> None:
    short = {"one": "see large houses here", "other": "sehen grosse haeuser hier"}
    found = faults(mixture(1, 2, **short), target=0.25)
    assert found == [(0, "too many switches", pytest.approx(3.0 * (2 - 4 / 2.5)))]
    assert faults(mixture(1, **short), target=0.25) == []


def test_function_words_alone_cost_five_and_one_cut_off_from_its_noun_three() -> None:
    assert faults(mixture(5, 7), target=0.2) == [(1, "function words alone", 5.0)]
    assert faults(mixture(6), target=1 / 3) == [(1, "a function word without what it belongs to", 3.0)]
    assert faults(mixture(5), target=4 / 9) == []  # it begins a part


def test_the_share_of_the_embedded_language_may_be_a_tenth_off_and_then_costs_a_quarter_each_hundredth() -> None:
    assert faults(mixture(3), target=0.42) == []
    [(_, what, cost)] = faults(mixture(3), target=0.5)
    assert what == "too much or too little of the embedded language"
    assert cost == pytest.approx(25.0 * (0.5 - 1 / 3 - 0.1))


def test_a_part_that_is_the_same_in_both_languages_is_no_switch() -> None:
    found = mixture(8, one=ONE.replace("river", "radio"), other=OTHER.replace("fluss", "radio"))
    assert (1, "the same in both languages", 9.0) in faults(found, target=1 / 9)
    assert not WORDS.judge(found, 1 / 9).accepted
    assert faults(mixture(8), target=1 / 9) == []


def test_names_and_numbers_stay_whole() -> None:
    named = {"one": "we see anna smith today", "other": "wir sehen anna schmidt heute"}
    judges = RuleJudge({}, frozenset({"anna", "smith", "schmidt"}))
    assert faults(mixture(3, **named), 0.4, judges) == [(1, "a name cut in two", 6.0)]
    assert faults(mixture(2, **named), 0.4, judges) == []
    numbers = {"one": "we see 4 5 dogs", "other": "wir sehen 4 5 hunde"}
    assert faults(mixture(3, **numbers), 0.4) == [(1, "a number cut in two", 6.0)]
    assert faults(mixture(2, **numbers), 0.4) == []


def test_faults_come_with_the_one_first_that_costs_most_of_the_whole() -> None:
    found = WORDS.judge(mixture(6, links={(n, n) for n in range(9) if n != 6}), 0.9).faults
    assert [one.what for one in found] == [
        "too much or too little of the embedded language",
        "a function word without what it belongs to",
        "a word without a counterpart at the switch",
    ]


def test_one_bad_aspect_forbids_what_the_others_would_carry() -> None:
    scores = dict.fromkeys(WEIGHTS, 10.0)
    assert Judgement(scores | {"share": 2.0}, ()).accepted
    forbidden = Judgement(scores | {"share": 1.9}, (Fault(0, "share", 8.1),))
    assert forbidden.total > ACCEPTED
    assert not forbidden.accepted


def test_function_words_are_the_frequent_short_ones() -> None:
    sentences = [["the", "house", "is", "on", "the", "hill"], ["the", "houses", "is"]]
    assert function_words(sentences) == {"the", "is", "on", "hill"}
    assert function_words([[f"w{n:02}"] * (99 - n) for n in range(99)]) == {f"w{n:02}" for n in range(60)}


def test_names_are_written_with_a_capital_in_both_languages_within_a_sentence() -> None:
    texts = [("Today Anna sees the House.", "Heute sieht Anna das Haus."), ("Peter is here", "Peter ist hier")]
    assert names(texts) == {"anna"}
