"""The benchmark of a codec: what is heard before and behind it is counted apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from codec_speech import bit_rate, chosen, coded, measured, used

from speech.data.manifest import read_manifest
from tests.tiny_codec import tiny_codec
from tests.train.codec.corpus import spoken

__all__ = ["spoken"]  # fixtures


class Listener:
    """Hears "tone" in every other recording, as a recogniser and as a judge."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def transcribe(self, samples, language):
        self.lengths.append(len(samples))
        return SimpleNamespace(text="tone" if len(self.lengths) % 2 else "a phone")

    def opinion(self, samples):
        return 4.0 if len(self.lengths) % 2 else 1.5


def test_a_source_is_measured_before_and_behind(spoken):
    codec, listener = tiny_codec(), Listener()
    groups = chosen(read_manifest(spoken / "dev.jsonl"), limit=2, least=0.1)
    assert [{u.language for u in own} for own in groups] == [{"deu"}, {"eng"}]
    assert max(map(len, groups)) <= 2
    row, codes = measured(codec, listener, listener, groups[0])
    assert (row["wer_before"], row["wer_after"]) == (0.0, 2.0)
    assert (row["opinion_before"], row["opinion_after"]) == (4.0, 1.5)
    assert {*listener.lengths} == {8000}  # half a second, behind the codec as well
    assert [text["after"] for text in row["texts"]] == ["a phone"] * len(groups[0])
    facts = used(codes, codec)
    assert facts["frames"] == sum(own.shape[1] for own in codes)
    assert all(0 < share <= 1 for share in facts["used"])
    assert all(1 <= one <= codec.codebook_size for one in facts["perplexity"])


def test_short_utterances_are_left_out(spoken):
    assert chosen(read_manifest(spoken / "dev.jsonl"), limit=2, least=2.0) == []


def test_as_many_samples_come_out_as_went_in():
    codec = tiny_codec()
    behind = coded(codec, np.zeros(1234, np.float32))
    assert behind.samples.shape == (1234,)
    assert behind.codes.shape[0] == codec.codebooks


def test_bits_per_second():
    assert bit_rate(tiny_codec()) == pytest.approx(2 * np.log2(12) * 8000 / 80, abs=0.1)
