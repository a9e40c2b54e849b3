"""A known text is laid on the frames of a file."""

import numpy as np
import pytest

from speech.errors import ConfigError, SpeechError
from speech.recognize.full_context import FullContextPass
from speech.recognize.known_text import align_text
from speech.recognize.label_only import LabelReader
from speech.recognize.offline import OfflineReader
from speech.recognize.request import Request
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper


@pytest.fixture(scope="module")
def reader(model, tokenizer) -> OfflineReader:
    return OfflineReader(FullContextPass(model, tokenizer))


def test_the_first_part_says_the_whole_text_up_to_the_end_of_the_file(reader, speech, tokenizer):
    parts = align_text(reader, speech[:100_000], "The cat sat.", Request(("eng",)))
    assert tokenizer.decode(span.id for span in parts[0].spans) == "the cat sat"
    starts = [span.start_frame for span in parts[0].spans]
    assert starts == sorted(starts)
    assert parts[0].end_s == parts[-1].end_s == 100_000 / 16_000
    assert not any(part.spans for part in parts[1:])


@pytest.mark.parametrize(
    ("text", "match"),
    [("", "the text is empty"), ("cat \u4f60", "does not write: \\['\u4f60'\\]"), ("cat " * 99, "frames")],
)
def test_a_text_that_cannot_be_said_is_refused(reader, speech, text, match):
    with pytest.raises(SpeechError, match=match):
        align_text(reader, speech[:16_000], text, Request(("eng",)))


def test_without_ctc_nothing_can_be_aligned():
    whisper = OfflineReader(LabelReader(tiny_whisper(), tiny_label_tokenizer()))
    with pytest.raises(ConfigError, match="alignment"):
        align_text(whisper, np.zeros(16_000, np.float32), "a", Request(("eng",)))
