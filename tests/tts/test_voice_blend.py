"""Names of voices and blends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError
from speech.tts.voice_blend import blend_name, read_blend


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("af_heart", {"af_heart": 1}),
        (" af_heart:5 ", {"af_heart": 1}),
        ("af_heart:.6,bf_emma:.4", {"af_heart": 0.6, "bf_emma": 0.4}),
        ("a:3, b:1", {"a": 0.75, "b": 0.25}),
        ("my/own.voice:1,a:1e0", {"my/own.voice": 0.5, "a": 0.5}),
    ],
)
def test_weights_are_normalised(text, weights):
    assert read_blend(text) == pytest.approx(weights)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a:", ":1", "a:x", "a:0", "a:-1", "a:nan", "a:inf", "a:1,", "a:1,a:2", "a:1,b", "a,b", ",",
     "a:1e308,b:1e308", ",".join(f"v{n}:1" for n in range(17)), "a:1" * 50_000],
)  # fmt: skip
def test_what_is_no_blend_is_refused_in_one_short_line(text):
    with pytest.raises(ConfigError) as refused:
        read_blend(text)
    assert len(str(refused.value)) < 300


@given(st.dictionaries(st.from_regex(r"\w{1,9}", fullmatch=True), st.floats(0.01, 100), min_size=1, max_size=16))
def test_a_blend_has_one_name(weights):
    total = sum(weights.values())
    name = blend_name(read_blend(",".join(f"{voice}:{weight}" for voice, weight in weights.items())))
    expected = {voice: weight / total for voice, weight in weights.items()}
    assert read_blend(name) == pytest.approx(expected, abs=1e-5)
    assert (name in weights) == (len(weights) == 1)
