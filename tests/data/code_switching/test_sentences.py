"""Mixtures are made, judged, mended where the judge finds fault, and judged again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.data.code_switching.judges import ACCEPTED, Fault, Judgement, RuleJudge
from speech.data.code_switching.mixture import Mixture, SentencePair
from speech.data.code_switching.parallel import Bitext
from speech.data.code_switching.sentences import generate, refine

TEXTS = {
    ("the dog sees the big house today", "der hund sieht das große haus heute"),
    ("the cat sees the small dog", "die katze sieht den kleinen hund"),
    ("today the man buys a big red house", "heute kauft der mann ein großes rotes haus"),
    ("the man drinks cold milk and eats warm bread", "der mann trinkt kalte milch und isst warmes brot"),
    ("my sister buys bread and milk today", "meine schwester kauft heute brot und milch"),
    ("she eats bread with cold milk", "sie isst brot mit kalter milch"),
}
BITEXT = Bitext(TEXTS, ("eng", "deu"))
PARALLELS = [BITEXT.parallel(*pair) for pair in sorted(TEXTS)]
CASES = st.tuples(st.sampled_from(PARALLELS), st.integers(0, 2**32), st.sampled_from([0.3, 0.5]))


def straight(count: int) -> SentencePair:
    """Word N means word N, so that one may switch anywhere."""
    words = tuple(tuple(side + "abcdefghij"[n] for n in range(count)) for side in ("one", "other"))
    return SentencePair(("eng", "deu"), (words[0], words[1]), frozenset((n, n) for n in range(count)))


@dataclass
class Wanting:
    """A judge that wants a switch behind so many words, and says of each other that it is as wrong as it is far."""

    place: int
    heard: list[Mixture] = field(default_factory=list)

    def judge(self, mixture: Mixture, target_share: float) -> Judgement:
        self.heard.append(mixture)
        off = sum(abs(i - self.place) for i, _ in mixture.points) + 3.0 * (len(mixture.points) - 1)
        score = max(0.0, 10.0 - off)
        scores = dict.fromkeys(("fluency", "naturalness", "share", "culture"), score)
        return Judgement(scores, (Fault(1, "elsewhere", off), Fault(1, "too far", off)) if off else ())


@given(CASES)
def test_a_mixture_is_made_of_places_to_switch_that_ascend(case: tuple[SentencePair, int, float]) -> None:
    parallel, seed, target = case
    mixture = generate(parallel, target, np.random.default_rng(seed))
    assert mixture is not None
    assert 1 <= len(mixture.points) <= 3
    assert set(mixture.points) <= set(parallel.points)
    assert all(len(part) > 0 for part in mixture.parts)


@given(CASES)
def test_what_is_accepted_is_good_enough_and_its_verdict_is_that_of_its_own_text(
    case: tuple[SentencePair, int, float],
) -> None:
    parallel, seed, target = case
    mixture = generate(parallel, target, np.random.default_rng(seed))
    assert mixture is not None
    first = BITEXT.judges.judge(mixture, target)
    accepted = refine(mixture, BITEXT.judges, target)
    if accepted is None:
        assert not first.accepted
        return
    assert accepted.verdict.total >= max(ACCEPTED, first.total)
    assert min(accepted.verdict.scores.values()) >= 2.0
    assert BITEXT.judges.judge(accepted.mixture, target) == accepted.verdict
    assert (accepted.rounds == 0) == first.accepted
    if first.accepted:
        assert accepted.mixture == mixture


@given(CASES)
def test_the_same_seed_makes_the_same_sentence(case: tuple[SentencePair, int, float]) -> None:
    parallel, seed, target = case
    one, other = (generate(parallel, target, np.random.default_rng(seed)) for _ in range(2))
    assert one is not None
    assert one == other
    assert refine(one, BITEXT.judges, target) == refine(one, BITEXT.judges, target)


def test_seeds_make_different_sentences() -> None:
    texts = {mixture.text for seed in range(30) if (mixture := generate(straight(8), 0.3, np.random.default_rng(seed)))}
    assert len(texts) > 8


def test_without_a_place_to_switch_nothing_is_made() -> None:
    crossed = SentencePair(("eng", "deu"), (("a", "b"), ("x", "y")), frozenset({(0, 1), (1, 0)}))
    assert generate(crossed, 0.3, np.random.default_rng(0)) is None


def test_a_fault_is_mended_and_the_mended_sentence_is_judged() -> None:
    judge = Wanting(place=6)
    accepted = refine(Mixture(straight(8), ((1, 1),), 0), judge, 0.3)
    assert accepted is not None
    assert accepted.rounds >= 1
    assert accepted.mixture.points == ((6, 6),)
    assert accepted.mixture in judge.heard
    assert accepted.verdict == Wanting(place=6).judge(accepted.mixture, 0.3)


def test_nothing_is_judged_twice_in_a_round() -> None:
    judge = Wanting(place=6)
    refine(Mixture(straight(8), ((1, 1), (3, 3)), 0), judge, 0.3, rounds=1)
    assert len(judge.heard) > 5
    assert len(judge.heard) == len(set(judge.heard))


def test_a_judge_that_nothing_pleases_ends_it() -> None:
    class Never(Wanting):
        def judge(self, mixture: Mixture, target_share: float) -> Judgement:
            self.heard.append(mixture)
            return Judgement({"fluency": 5.0, "naturalness": 5.0, "share": 5.0, "culture": 5.0}, ())

    judge = Never(place=0)
    assert refine(Mixture(straight(6), ((2, 2),), 0), judge, 0.3) is None
    assert len(judge.heard) < 20


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_it_is_mended_so_many_times_at_most(rounds: int) -> None:
    class Better(Wanting):
        """Each sentence is a little better than the one before."""

        def judge(self, mixture: Mixture, target_share: float) -> Judgement:
            self.heard.append(mixture)
            return Judgement(dict.fromkeys(("fluency", "naturalness", "share", "culture"), 0.01 * len(self.heard)), ())

    judge = Better(place=0)
    assert refine(Mixture(straight(4), ((2, 2),), 0), judge, 0.3, rounds=rounds) is None
    assert (len(judge.heard) == 1) == (rounds == 0)


def test_a_sentence_that_is_accepted_comes_before_one_with_more_points_that_an_aspect_forbids() -> None:
    class Forbidding(Wanting):
        def judge(self, mixture: Mixture, target_share: float) -> Judgement:
            first = mixture.points[0][0]
            scores = {"fluency": 10.0, "naturalness": 10.0, "share": 1.9 if first == 3 else 1.0, "culture": 10.0}
            if first == 2 and len(mixture.points) == 1:
                scores = {"fluency": 8.3, "naturalness": 8.3, "share": 8.3, "culture": 8.3}
            return Judgement(scores, (Fault(1, "share", 8.0),))

    accepted = refine(Mixture(straight(5), ((1, 1),), 0), Forbidding(place=0), 0.3)
    assert accepted is not None
    assert accepted.mixture.points == ((2, 2),)


def test_rules_alone_are_a_judge() -> None:
    accepted = refine(Mixture(straight(10), ((7, 7),), 0), RuleJudge({}), 0.3)
    assert accepted is not None
    assert accepted.verdict.total == pytest.approx(10.0)
