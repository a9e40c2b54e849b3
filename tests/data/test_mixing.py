"""`speech.data.mixing`: the shares of languages."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.data.manifest import Utterance
from speech.data.mixing import epoch_plan, hours_per_language, temperature, unimax
from speech.errors import ConfigError, DataError

LANGUAGES = ("eng", "deu", "fra")
hours_of_languages = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1e-3, 1e5), min_size=1)


@st.composite
def corpora(draw: st.DrawFn) -> list[Utterance]:
    rows = draw(st.lists(st.tuples(st.sampled_from(LANGUAGES), st.floats(0.2, 30.0)), min_size=1, max_size=40))
    return [
        Utterance(id=str(i), audio=Path(f"/none/{i}.wav"), duration_s=duration_s, language=language, text="x")
        for i, (language, duration_s) in enumerate(rows)
    ]


@given(hours_of_languages, st.floats(1.0, 100.0))
def test_temperature_weights_sum_to_one_and_keep_the_order(hours: dict[str, float], t: float) -> None:
    weights = temperature(hours, t)
    assert sum(weights.values()) == pytest.approx(1.0)
    by_hours = sorted(hours, key=hours.__getitem__)
    assert all(weights[a] <= weights[b] * (1 + 1e-9) for a, b in pairwise(by_hours))


def test_temperature_one_is_the_corpus_two_is_the_square_root_and_infinity_uniform() -> None:
    hours = {"eng": 16.0, "deu": 4.0}
    assert temperature(hours, 1.0) == pytest.approx({"eng": 0.8, "deu": 0.2})
    assert temperature(hours, 2.0) == pytest.approx({"eng": 2 / 3, "deu": 1 / 3})
    assert temperature(hours, float("inf")) == pytest.approx({"eng": 0.5, "deu": 0.5})


def test_unimax_gives_an_uncapped_corpus_equal_shares() -> None:
    assert unimax({"eng": 100.0, "deu": 50.0}, 60.0, 1.0) == pytest.approx({"eng": 0.5, "deu": 0.5})


def test_unimax_hands_what_a_small_language_cannot_fill_to_the_others() -> None:
    # Worked by hand: lug is capped at 1 h x 4; the other 96 h are halved.
    weights = unimax({"eng": 1000.0, "deu": 100.0, "lug": 1.0}, 100.0, 4.0)
    assert weights == pytest.approx({"eng": 0.48, "deu": 0.48, "lug": 0.04})


@given(hours_of_languages, st.floats(1.0, 1e5), st.floats(0.5, 20.0))
def test_unimax_never_exceeds_its_epochs_and_shares_are_equal_below_the_cap(
    hours: dict[str, float], budget: float, epochs: float
) -> None:
    weights = unimax(hours, budget, epochs)
    assert sum(weights.values()) == pytest.approx(1.0)
    used = min(budget, epochs * sum(hours.values()))
    free = [w * used for code, w in weights.items() if w * used < hours[code] * epochs * (1 - 1e-6)]
    assert all(weights[code] * used <= hours[code] * epochs * (1 + 1e-6) for code in hours)
    assert all(share == pytest.approx(max(free), rel=1e-6) for share in free)


@pytest.mark.parametrize(
    "call",
    [
        lambda: temperature({"eng": 1.0}, 0.5),
        lambda: temperature({}, 1.0),
        lambda: temperature({"eng": 0.0}, 1.0),
        lambda: unimax({"eng": 1.0}, 0.0, 1.0),
        lambda: unimax({"eng": 1.0}, 1.0, 0.0),
        lambda: epoch_plan([], {"eng": -1.0}, 1.0, np.random.default_rng(0)),
    ],
)
def test_numbers_that_are_no_weights_are_refused(call: object) -> None:
    with pytest.raises(ConfigError):
        call()  # type: ignore[operator]


def test_a_weight_for_a_language_without_utterances_is_an_error() -> None:
    with pytest.raises(DataError, match="eng"):
        epoch_plan([], {"eng": 1.0}, 1.0, np.random.default_rng(0))


@given(corpora(), st.integers(0, 1000))
def test_at_temperature_one_an_epoch_is_a_permutation_of_the_corpus(corpus: list[Utterance], seed: int) -> None:
    total_s = sum(utterance.duration_s for utterance in corpus)
    weights = temperature(hours_per_language(corpus), 1.0)
    plan = epoch_plan(corpus, weights, total_s, np.random.default_rng(seed))
    assert sorted(u.id for u in plan) == sorted(u.id for u in corpus)


@given(corpora(), st.floats(1.0, 10.0), st.floats(0.1, 5.0), st.integers(0, 1000))
def test_every_language_fills_its_share_with_utterances_that_come_floor_or_ceil_times(
    corpus: list[Utterance], t: float, length: float, seed: int
) -> None:
    hours = hours_per_language(corpus)
    weights = temperature(hours, t)
    total_s = length * 3600 * sum(hours.values())
    plan = epoch_plan(corpus, weights, total_s, np.random.default_rng(seed))
    times = Counter(u.id for u in plan)
    seconds: dict[str, float] = defaultdict(float)
    for u in plan:
        seconds[u.language] += u.duration_s
    for language, weight in weights.items():
        own = [u for u in corpus if u.language == language]
        longest_s = max(u.duration_s for u in own)
        assert abs(seconds[language] - weight * total_s) <= longest_s / 2 + 1e-6
        counts = [times[u.id] for u in own]
        assert max(counts) - min(counts) <= 1


def test_an_epoch_plan_follows_its_seed() -> None:
    corpus = [Utterance(id=str(i), audio=Path("/none"), duration_s=1.0, language="eng", text="x") for i in range(50)]
    plans = [epoch_plan(corpus, {"eng": 1.0}, 20.0, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert plans[0] == plans[1] != plans[2]
