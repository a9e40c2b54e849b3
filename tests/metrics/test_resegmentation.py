"""One long output cut at the segments of its reference, against OmniSTEval and by hand."""

import random

import pytest

from speech.metrics.resegmentation import resegment

WORDS = "the quick brown fox jumps over a lazy dog while 3 hens and two cats watch Straße ﬁnd Ünder".split()
MARKS = [".", ",", "?", "。", "-", "("]


def cut(references: list[str], output: str) -> list[int | None]:
    return resegment([text.split() for text in references], output.split())


def omnistevals(references: list[list[str]], output: list[str], letters: bool) -> list[int | None]:
    alignment = pytest.importorskip("omnisteval.alignment")
    tokenization = pytest.importorskip("omnisteval.tokenization")
    reference = [alignment.Word(unit.lower(), seq_id=n) for n, units in enumerate(references) for unit in units]
    said = [alignment.Word(unit, emission_cu=float(n)) for n, unit in enumerate(output)]
    (reference,), (said,) = (tokenization.tokenize_words([words], None) for words in (reference, said))
    found: list[int | None] = [None] * len(output)
    for word in alignment._process_single_recording((0, reference, said, letters)):
        found[int(word.emission_cu)] = word.seq_id
    return found


def changed(rng: random.Random, units: list[str], rate: float) -> list[str]:
    """Units left out, replaced, added, in capitals, and with marks."""
    found = []
    for unit in units:
        kind = rng.random() / rate
        found += [unit] if kind > 1 else []
        found += rng.choices(WORDS, k=rng.randint(1, 4)) if 0.3 < kind < 0.6 else []
        found += [unit.upper()] if 0.6 < kind < 0.8 else []
        found += [rng.choice(MARKS), unit[::-1]] if 0.8 < kind < 1 else []
    return found


def test_segments_are_those_of_omnisteval_for_any_words():
    rng = random.Random(1)
    lost = moved = 0
    for _ in range(300):
        references = [
            rng.choices(WORDS + MARKS * rng.randint(0, 1), k=rng.randint(0, 12)) for _ in range(rng.randint(1, 6))
        ]
        if not any(references):
            continue
        output = changed(rng, [unit for units in references for unit in units], rng.choice([0.1, 0.4, 0.9]))
        output = [rng.choice(MARKS)] * rng.randint(0, 2) + output
        found = resegment(references, output)
        assert found == omnistevals(references, output, letters=False)
        lost += found.count(None)
        moved += len(set(found)) > 1
    assert lost > 0
    assert moved > 200


def test_segments_are_those_of_omnisteval_for_any_characters():
    rng = random.Random(2)
    for _ in range(200):
        references = [rng.choices("我们去咖啡店吧。，a", k=rng.randint(1, 15)) for _ in range(rng.randint(1, 4))]
        output = [one for units in references for one in units if rng.random() < 0.7]
        output = [rng.choice("他们来了？") if rng.random() < 0.3 else one for one in output]
        assert resegment(references, output, letters=True) == omnistevals(references, output, letters=True)


def test_words_follow_their_neighbours_and_what_resembles_the_next_goes_with_it():
    references = ["good morning everybody", "today we sing"]
    assert cut(references, "Good morning to everyone today, we sing a song") == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert cut(references, "we sing") == [1, 1]
    assert cut(references, "good morning everybody toda day today we sing") == [0, 0, 0, 1, 1, 1, 1, 1]
    assert cut(references, "good morning everybody body today we sing") == [0, 0, 0, 0, 1, 1, 1]


def test_a_mark_is_paired_with_no_word_and_belongs_nowhere_before_the_first():
    assert cut(["one", "two"], "? one ! two") == [None, 0, 0, 1]


def test_without_reference_or_output_there_is_nothing_to_say():
    assert resegment([], ["a", "b"]) == [None, None]
    assert resegment([[], []], ["a"]) == [None]
    assert resegment([["a"]], []) == []
    assert resegment([[], ["a"], []], ["a", "b"]) == [1, 1]


def test_a_long_recording_is_cut_where_its_sentences_end():
    rng = random.Random(3)
    references = [[f"{word}{rng.randint(0, 99)}" for word in rng.choices(WORDS, k=12)] for _ in range(120)]
    wanted = [n for n, units in enumerate(references) for _ in units]
    assert resegment(references, [unit for units in references for unit in units]) == wanted
