"""Latency against OmniSTEval, by hand, and at the edges."""

import math
import random

import pytest

from speech.errors import DataError
from speech.metrics.latency import LATENCIES, Emission, emission, latency_figures
from speech.metrics.resegmentation import resegment
from speech.metrics.utterance import Pairing

RECORDED = [  # delays, speech, words of the reference; AL, LAAL, DAL, YAAL of OmniSTEval 0.1.10
    ((0.8, 1.2, 2.0, 2.0), 2.0, 4, 0.833333, 0.833333, 0.9, 0.75),
    ((1.0, 1.5, 3.0, 3.0, 3.2), 3.0, 3, 0.833333, 1.233333, 1.48, 0.95),
    ((0.5, 0.5, 0.9), 4.0, 6, -0.033333, -0.033333, 0.5, -0.033333),
    ((2.5, 2.6), 2.0, 2, 2.5, 2.5, 2.5, None),
    ((2.0, 2.0), 2.0, 3, 2.0, 2.0, 2.0, None),
    ((0.0, 0.4, 0.8, 1.2, 1.6), 2.0, 5, 0.0, 0.0, 0.0, 0.0),
    ((1.1, 3.9, 2.2, 4.5, 4.6, 4.7), 4.4, 9, 2.191667, 2.191667, 2.822222, 1.911111),
]


def measured(said: Emission) -> list[float | None]:
    return [measure(said) for name, measure in LATENCIES.items() if name != "longyaal"]


def timed(words: list[tuple[str, float | None]], reference: str, duration_s: float | None) -> Pairing:
    said, emitted = zip(*words, strict=True) if words else ((), ())
    known = tuple((word, None) for word in said)
    return Pairing(reference, " ".join(said), hypothesis_words=known, emitted_s=emitted, duration_s=duration_s)


@pytest.mark.parametrize(("delays", "source", "target", "al", "laal", "dal", "yaal"), RECORDED)
def test_values_are_those_that_omnisteval_gave(delays, source, target, al, laal, dal, yaal):
    found = measured(Emission(delays, source, target))
    assert found[:3] == pytest.approx([al, laal, dal], abs=1e-6)
    assert found[3] is None if yaal is None else found[3] == pytest.approx(yaal, abs=1e-6)


def test_values_are_those_of_omnisteval_for_any_delays():
    scoring = pytest.importorskip("omnisteval.scoring")
    data = pytest.importorskip("omnisteval.data")
    rng = random.Random(1)
    for _ in range(400):
        source, words, target = rng.uniform(0.1, 20), rng.randint(1, 30), rng.randint(1, 30)
        delays = [rng.uniform(0, source * rng.choice([0.5, 1.0, 1.5])) for _ in range(words)]
        delays = [min(delay, source) if rng.random() < 0.3 else delay for delay in delays]
        delays = sorted(delays) if rng.random() < 0.8 else delays
        instance = data.Instance(
            prediction="x", reference=" ".join(["w"] * target), source_length=source * 1000,
            emission_cu=[delay * 1000 for delay in delays],
        )  # fmt: skip
        scorers = scoring.ALScorer(), scoring.LAALScorer(), scoring.DALScorer(), scoring.YAALScorer()
        wanted = [scorer([instance]) / 1000 for scorer in scorers]
        found = measured(Emission(tuple(delays), source, target))
        assert [math.nan if one is None else one for one in found] == pytest.approx(wanted, abs=1e-9, nan_ok=True)


def talk(rng: random.Random) -> tuple[list[tuple[str, float, float]], list[tuple[str, float]], float]:
    """A recording: its segments as (text, start, duration); what is said of it as (word, delay); where it ends."""
    segments, said, at = [], [], rng.choice([0.0, 3.0])
    for _ in range(rng.randint(1, 8)):
        words = [f"{rng.choice('abcdef')}{rng.choice('xyz')}{rng.randint(0, 9)}" for _ in range(rng.randint(1, 14))]
        duration = rng.uniform(0.2, 0.5) * len(words)
        segments.append((" ".join(words), at, duration))
        spoken = [at + duration * n / len(words) for n in range(len(words))]
        said += [(word, time) for word, time in zip(words, spoken, strict=True) if rng.random() < 0.8]
        at += duration + rng.choice([0.0, 0.7])
    end = max(start + duration for _, start, duration in segments)
    if rng.random() < 0.5:
        said = [(word, min(time, end)) for word, time in said]
    lag, slope = rng.uniform(0, 4), rng.uniform(0.8, 1.2)
    return segments, [(word, time * slope + lag) for word, time in said], end


def test_a_whole_recording_has_the_latency_of_omnisteval():
    resegmenting = pytest.importorskip("omnisteval.resegment")
    alignment, scoring = pytest.importorskip("omnisteval.alignment"), pytest.importorskip("omnisteval.scoring")
    rng, values = random.Random(4), 0
    for _ in range(12):
        segments, said, end = talk(rng)
        known = [
            {"offset": start * 1000, "duration": duration * 1000, "time_to_recording_end": (end - start) * 1000}
            for _, start, duration in segments
        ]
        reference = [alignment.Word(w, seq_id=n) for n, (text, *_) in enumerate(segments) for w in text.split()]
        output = [alignment.Word(word, emission_cu=time * 1000) for word, time in said]
        instances, _ = resegmenting.resegment([reference], [output], known, [text for text, *_ in segments])
        places = resegment([text.split() for text, *_ in segments], [word for word, _ in said])
        emissions = [
            Emission(
                tuple(time - start for (_, time), place in zip(said, places, strict=True) if place == number),
                duration, len(text.split()), end - start,
            )
            for number, (text, start, duration) in enumerate(segments)
        ]  # fmt: skip
        scorers = {
            "longyaal": scoring.YAALScorer(is_longform=True), "al": scoring.ALScorer(), "laal": scoring.LAALScorer(),
            "dal": scoring.DALScorer(),
        }  # fmt: skip
        figures = latency_figures(emissions)
        assert "yaal" not in figures
        for name, scorer in scorers.items():
            wanted = scorer(instances) / 1000
            found = figures[name].over(range(len(segments))) if name in figures else None
            assert (math.nan if found is None else found) == pytest.approx(wanted, abs=1e-9, nan_ok=True)
            values += found is not None
    assert values > 40


def test_behind_the_end_of_a_segment_words_count_until_the_recording_ends():
    def longyaal(*delays: float) -> float | None:
        return LATENCIES["longyaal"](Emission(delays, 2.0, 2, 4.0))

    assert longyaal(1.0, 3.0) == pytest.approx(1.5)
    assert longyaal(1.0, 4.0, 1.0) == 1.0
    assert longyaal(-1.0) == -1.0
    assert longyaal(4.0, 1.0) is None
    assert longyaal() is None
    assert LATENCIES["longyaal"](Emission((1.0,), 2.0, 2)) is None
    assert LATENCIES["yaal"](Emission((1.0,), 2.0, 2, 4.0)) is None


def test_figures_say_how_delays_were_measured():
    assert latency_figures([Emission((0.5,), 2.0, 1)], "clock")["al"].signature == "clock"


def test_a_system_that_waits_for_the_end_lags_by_the_whole_and_one_in_step_not_at_all():
    assert measured(Emission((4.0,) * 4, 4.0, 4)) == [4.0, 4.0, 4.0, None]
    assert measured(Emission((0.0, 1.0, 2.0, 3.0), 4.0, 4)) == [0.0] * 4
    assert measured(Emission((0.5, 1.5, 2.5, 3.5), 4.0, 4)) == [0.5] * 4


def test_saying_too_much_looks_early_to_al_alone():
    said = Emission(tuple(0.5 + n / 2 for n in range(8)), 4.0, 4)
    al, laal, *_ = measured(said)
    assert al < 0 < laal == 0.5


@pytest.mark.parametrize("said", [Emission((), 2.0, 3), Emission((1.0,), 0.0, 3)])
def test_without_words_or_speech_there_is_no_latency(said):
    assert measured(said) == [None] * 4


def test_without_a_reference_only_al_is_unknown():
    assert measured(Emission((1.0, 1.5), 2.0, 0)) == [None, 0.75, 1.0, 0.75]


@pytest.mark.parametrize(
    "bad",
    [((math.nan,), 1.0, 1), ((1.0,), math.inf, 1), ((1.0,), -1.0, 1), ((1.0,), 1.0, -1), ((1.0,), 1.0, 1, math.nan)],
)
def test_what_is_no_time_is_refused(bad):
    with pytest.raises(DataError):
        Emission(*bad)


def test_words_of_scripts_without_spaces_count_by_character_and_marks_not_at_all():
    said = timed([("我们去", 0.4), ("Coffee", 0.9), ("shop。", 1.2), ("!", 1.3)], "我们去 coffee shop", 2.0)
    assert emission(said) == Emission((0.4, 0.4, 0.4, 0.9, 1.2), 2.0, 5)


def test_an_utterance_that_lacks_a_time_has_no_latency():
    assert emission(timed([("a", 0.1), ("b", None)], "a b", 1.0)) is None
    assert emission(timed([("a", 0.1)], "a b", None)) is None
    assert emission(timed([], "a b", 1.0)) is None
    assert emission(Pairing("a b", "a", hypothesis_words=(("a", None),), duration_s=1.0)) is None


def test_a_corpus_has_the_mean_over_the_utterances_that_have_one():
    found = latency_figures([Emission((0.5,), 2.0, 1), None, Emission((1.0,), 2.0, 1), Emission((2.5,), 2.0, 1)])
    assert list(found) == ["al", "laal", "dal", "yaal"]
    assert found["yaal"].each == (0.5, None, 1.0, None)
    assert found["yaal"].over(range(4)) == 0.75
    assert found["yaal"].over([1, 3]) is None
    assert found["dal"].over(range(4)) == pytest.approx(4 / 3)
    assert latency_figures([None]) == {}
