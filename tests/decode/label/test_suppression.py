"""What may be written next, in numbers. That the rules are the published ones is in tests/parity."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.label.suppression import Suppression, TimestampRules

END, FIRST, VOCABULARY = 10, 14, 14 + 81
"""Text is below 10, 11 to 13 are special, 13 says that there are no timestamps."""
RULES = TimestampRules(first=FIRST, end=END)
EVEN = torch.zeros(1, VOCABULARY)


def allowed(text: list[int], logits: torch.Tensor = EVEN, rules: TimestampRules = RULES) -> list[int]:
    return torch.where(~rules(logits, [text])[0].isneginf())[0].tolist()


def text_first(logits: torch.Tensor = EVEN) -> torch.Tensor:
    """As likely that the sum over timestamps does not decide."""
    logits = logits.clone()
    logits[:, :FIRST] += 20
    return logits


def stamp(seconds: float) -> int:
    return FIRST + round(seconds / 0.02)


def test_some_tokens_are_never_written_and_some_not_at_first():
    logits = torch.arange(12.0).reshape(2, 6)
    found = Suppression(never=[1, 4], first=[0])(logits, [[], [3]])
    assert torch.where(found[0].isneginf())[0].tolist() == [0, 1, 4]
    assert torch.where(found[1].isneginf())[0].tolist() == [1, 4]
    assert torch.equal(found[1, [0, 2, 3, 5]], logits[1, [0, 2, 3, 5]])
    assert logits.isfinite().all()  # what it is given stays as it is
    assert torch.equal(Suppression()(logits, [[], []]), logits)


def test_a_text_begins_with_a_timestamp_of_at_most_a_second():
    assert allowed([], text_first()) == list(range(FIRST, stamp(1.0) + 1))
    assert allowed([], text_first(), TimestampRules(first=FIRST, end=END, latest_start=0)) == [FIRST]


def test_behind_the_first_timestamp_comes_text():
    assert allowed([stamp(0.4)]) == [*range(FIRST - 1)]


def test_behind_text_comes_text_or_a_later_timestamp_and_the_last_but_one_may_not_be_repeated():
    found = allowed([stamp(0.4), 5], text_first())
    assert found == [*range(FIRST - 1), *range(stamp(0.42), VOCABULARY)]


def test_behind_the_end_of_a_segment_comes_the_next_or_the_end():
    found = allowed([stamp(0.0), 5, stamp(0.4)], text_first())
    assert found == [END, 11, 12, *range(stamp(0.4), VOCABULARY)]


def test_behind_a_pair_comes_text():
    assert allowed([stamp(0.0), 5, stamp(0.4), stamp(0.4)]) == [*range(FIRST - 1)]
    after = allowed([stamp(0.0), 5, stamp(0.4), stamp(0.6), 5], text_first())
    assert after == [*range(FIRST - 1), *range(stamp(0.62), VOCABULARY)]


def test_timestamps_are_written_where_together_they_are_likelier_than_any_other_token():
    logits = EVEN.clone()
    logits[0, 3] = 3.0  # e^3 = 20 of the 61 timestamps that are left
    assert allowed([stamp(0.4), 5], logits) == list(range(stamp(0.42), VOCABULARY))
    logits[0, 3] = 5.0  # e^5 = 148
    assert 3 in allowed([stamp(0.4), 5], logits)


def test_a_text_without_timestamps_may_go_on():
    assert allowed([5, 6], text_first()) == [*range(FIRST - 1), *range(FIRST, VOCABULARY)]


def test_rows_are_independent_and_what_is_given_stays_as_it_is():
    texts = [[], [stamp(0.4)], [stamp(0.4), 5], [stamp(0.0), 5, stamp(0.4)]]
    logits = torch.randn(4, VOCABULARY, generator=torch.Generator().manual_seed(0))
    kept = logits.clone()
    together = RULES(logits, texts)
    for row, text in enumerate(texts):
        assert torch.equal(together[row], RULES(logits[row : row + 1], [text])[0])
    assert torch.equal(logits, kept)


def test_half_precision_is_counted_in_float32():
    assert RULES(EVEN.bfloat16(), [[]]).dtype == torch.float32


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_texts_are_pairs_of_growing_timestamps(seed, count):
    """Whatever the scores are, as long as there is a token left."""
    generator = torch.Generator().manual_seed(seed)
    text: list[int] = []
    for _ in range(count):
        logits = torch.randn(1, VOCABULARY, generator=generator) * 4
        logits = Suppression(never=[11, 12])(logits, [text])
        found = RULES(logits, [text])
        if found.isneginf().all():
            break
        token = int(found.softmax(-1).multinomial(1, generator=generator))
        if token == END:
            break
        text.append(token)
    stamps = [token for token in text if token >= FIRST]
    assert stamps == sorted(stamps)
    assert text[0] <= stamp(1.0)
    begins, ends = stamps[::2], stamps[1::2]
    assert all(begin < end for begin, end in zip(begins, ends, strict=False))
    assert FIRST - 1 not in text


@pytest.mark.parametrize("rule", [Suppression(first=[1]), RULES])
def test_as_many_texts_as_rows(rule):
    with pytest.raises(ValueError, match="zip"):
        rule(EVEN, [[], []])
