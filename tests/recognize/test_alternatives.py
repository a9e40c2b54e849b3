"""Several likely texts: of a part each once, of parts that follow each other the likeliest ways through them."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from speech.recognize.alternatives import PartAlternative, chained, readings, together
from speech.recognize.result import PartResult
from speech.transcript import Word

SHARES = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=4).map(
    lambda some: sorted((one / sum(some) for one in some), reverse=True)
)


def words(text: str) -> list[Word]:
    return [Word(word, 0.0, 1.0, 0.9, "eng") for word in text.split()]


@given(st.lists(SHARES, min_size=1, max_size=4), st.integers(1, 6))
def test_they_are_the_likeliest_ways_through_all_parts(parts, most):
    listed = [[(f"{number}.{place}", share) for place, share in enumerate(part)] for number, part in enumerate(parts)]
    found = chained(listed, most)
    every = sorted((math.prod(share for _, share in way) for way in itertools.product(*listed)), reverse=True)
    assert len(found) == min(most, len(every))
    for (taken, chance), best in zip(found, every, strict=False):
        assert math.isclose(chance, best)
        shares = [dict(part)[said] for part, said in zip(listed, taken, strict=True)]
        assert math.isclose(math.prod(shares), chance)
    assert found[0][0] == tuple(part[0][0] for part in listed)


def test_a_text_is_listed_once_with_the_confidence_of_its_first():
    heard = PartResult([], None, 0, 0.0, confidence=0.5)
    others = tuple(PartResult([], None, 0, 0.0, confidence=share) for share in (0.3, 0.2))
    texts = {0.5: "a b", 0.3: "a b", 0.2: "c"}
    whole = PartResult([], None, 0, 0.0, confidence=heard.confidence, others=others)
    found = readings(whole, lambda one: words(texts[one.confidence]))
    assert [(one.words[0].text, one.confidence) for one in found] == [("a", 0.5), ("c", 0.2)]


def test_texts_of_parts_are_joined_as_words_are():
    parts = [
        [PartAlternative(words("a b"), 0.75), PartAlternative(words("a"), 0.25)],
        [PartAlternative([], 1.0)],
        [PartAlternative(words("c"), 0.5)],
    ]
    found = together(parts, 3)
    assert [(one.text, round(one.confidence, 9)) for one in found] == [("a b c", 0.375), ("a c", 0.125)]
    assert found[0].to_dict() == {"text": "a b c", "confidence": 0.375}
    assert together([], 3) == ()


def test_many_parts_that_nobody_is_sure_of_keep_their_order():
    parts = [[PartAlternative(words("a"), 1e-4), PartAlternative(words("b"), 1e-5)]] * 200
    assert together(parts, 2)[0].text == " ".join("a" * 200)
