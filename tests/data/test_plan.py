"""`speech.data.plan`: what an epoch holds, before any audio is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.data.manifest import Utterance
from speech.data.plan import BatchConfig, Example, plan_epoch, plan_in_order
from speech.errors import ConfigError


def utterance(index: int, language: str, duration_s: float, translated: bool) -> Utterance:
    return Utterance(
        id=str(index),
        audio=Path(f"/none/{index}.wav"),
        duration_s=duration_s,
        language=language,
        text="x",
        translations={"eng": "y", "fra": "z"} if translated else {},
    )


@st.composite
def corpora(draw: st.DrawFn) -> list[Utterance]:
    row = st.tuples(st.sampled_from(["eng", "deu", "cmn"]), st.floats(0.02, 35.0), st.booleans())
    return [utterance(i, *values) for i, values in enumerate(draw(st.lists(row, max_size=60)))]


@st.composite
def configs(draw: st.DrawFn) -> BatchConfig:
    max_s = draw(st.floats(1.0, 30.0))
    probability = st.floats(0.0, 1.0)
    return BatchConfig(
        max_s=max_s,
        batch_s=max_s * draw(st.floats(1.0, 8.0)),
        concatenate_max_s=max_s * draw(st.floats(0.1, 1.0)),
        st_probability=draw(probability),
        language_given_probability=draw(probability),
        concatenate_probability=draw(probability),
        buckets=draw(st.integers(1, 30)),
        seed=draw(st.integers(0, 100)),
    )


def ids(batches: list[list[Example]]) -> list[str]:
    return [u.id for batch in batches for example in batch for u in example.utterances]


@given(corpora(), configs(), st.integers(0, 50))
def test_every_utterance_of_fitting_length_comes_exactly_once(
    corpus: list[Utterance], config: BatchConfig, epoch: int
) -> None:
    fitting = [u.id for u in corpus if config.min_s <= u.duration_s <= config.max_s]
    assert sorted(ids(plan_epoch(corpus, config, epoch))) == sorted(fitting)


@given(corpora(), configs(), st.integers(0, 50))
def test_no_batch_exceeds_its_padded_seconds_and_no_example_its_length(
    corpus: list[Utterance], config: BatchConfig, epoch: int
) -> None:
    for batch in plan_epoch(corpus, config, epoch):
        longest_s = max(example.duration_s for example in batch)
        assert longest_s <= config.max_s + 1e-9
        assert longest_s * len(batch) <= config.batch_s + 1e-6


@given(corpora(), configs(), st.integers(0, 50))
def test_a_plan_is_a_function_of_corpus_config_and_epoch(
    corpus: list[Utterance], config: BatchConfig, epoch: int
) -> None:
    assert plan_epoch(corpus, config, epoch) == plan_epoch(corpus, config, epoch)


@given(corpora(), configs())
def test_joined_utterances_are_short_transcribed_and_separated(corpus: list[Utterance], config: BatchConfig) -> None:
    for batch in plan_epoch(corpus, config, 0):
        for example in batch:
            assert len(example.silences_s) == len(example.utterances) + 1
            assert 0.0 <= example.silences_s[0] <= 0.4
            assert 0.0 <= example.silences_s[-1] <= 0.4
            if len(example.utterances) > 1:
                assert example.translate_to is None
                assert example.duration_s <= config.concatenate_max_s + 0.8
                assert all(0.1 <= gap_s <= config.concatenate_gap_s for gap_s in example.silences_s[1:-1])


def many(n: int = 2000) -> list[Utterance]:
    return [utterance(i, ("eng", "deu")[i % 2], 0.5 + i % 7, translated=i % 3 == 0) for i in range(n)]


def test_two_epochs_differ_and_so_do_two_seeds() -> None:
    corpus = many(200)
    plan = plan_epoch(corpus, BatchConfig(), 0)
    assert plan != plan_epoch(corpus, BatchConfig(), 1)
    assert plan != plan_epoch(corpus, BatchConfig(seed=1), 0)


def test_tasks_languages_and_joins_are_as_frequent_as_configured() -> None:
    corpus = many()
    config = BatchConfig(st_probability=0.3, language_given_probability=0.7, concatenate_probability=0.4)
    examples = [example for batch in plan_epoch(corpus, config, 0) for example in batch]
    translated = [example for example in examples if example.translate_to]
    assert all(e.translate_to in e.utterances[0].translations for e in translated)
    assert {e.translate_to for e in translated} == {"eng", "fra"}
    assert len(translated) / sum(bool(u.translations) for u in corpus) == pytest.approx(0.3, abs=0.06)
    assert sum(e.language_given for e in examples) / len(examples) == pytest.approx(0.7, abs=0.06)
    joined = [e for e in examples if len(e.utterances) > 1]
    assert joined
    mixed = sum(e.language is None for e in joined) / len(joined)
    assert 0.05 < mixed < 0.3


def test_probability_zero_leaves_single_transcribed_utterances() -> None:
    config = BatchConfig(st_probability=0.0, concatenate_probability=0.0, language_given_probability=0.0)
    examples = [example for batch in plan_epoch(many(300), config, 0) for example in batch]
    assert all(len(e.utterances) == 1 and not e.translate_to and not e.language_given for e in examples)


def test_little_of_a_batch_is_padding() -> None:
    batches = plan_epoch(many(), BatchConfig(), 0)
    padded_s = sum(max(e.duration_s for e in batch) * len(batch) for batch in batches)
    assert sum(e.duration_s for batch in batches for e in batch) / padded_s > 0.85


def test_evaluation_goes_from_short_to_long_and_drops_nothing() -> None:
    corpus = [*many(50), utterance(50, "eng", 100.0, False)]
    batches = plan_in_order(corpus, batch_s=40.0)
    durations_s = [example.duration_s for batch in batches for example in batch]
    assert durations_s == sorted(durations_s)
    assert sorted(ids(batches)) == sorted(u.id for u in corpus)
    assert [len(batch) for batch in batches if batch[0].duration_s == 100.0] == [1]


def test_evaluation_of_a_translation_takes_the_utterances_that_have_it() -> None:
    batches = plan_in_order(many(30), 40.0, translate_to="fra", language_given=True)
    assert len(ids(batches)) == 10
    assert all(e.translate_to == "fra" and e.language_given for batch in batches for e in batch)


@pytest.mark.parametrize(
    "options",
    [
        {"max_s": 100.0},
        {"min_s": 40.0},
        {"concatenate_max_s": 31.0},
        {"st_probability": 1.1},
        {"language_given_probability": -0.1},
        {"concatenate_probability": float("nan")},
        {"buckets": 0},
        {"concatenate_gap_s": 0.0},
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        BatchConfig(**options)  # type: ignore[arg-type]
