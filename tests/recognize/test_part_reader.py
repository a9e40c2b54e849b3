"""Both ways to read parts have all that files, live sessions and servers ask of one."""

import inspect

import pytest

from speech.recognize.full_context import FullContextPass
from speech.recognize.label_only import LabelReader
from speech.recognize.part_reader import PartReader
from speech.recognize.request import Request
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper


@pytest.mark.parametrize("kind", ["ctc", "label"])
def test_a_reader_has_what_the_protocol_names(kind, model, tokenizer):
    ctc = kind == "ctc"
    reader = FullContextPass(model, tokenizer) if ctc else LabelReader(tiny_whisper(), tiny_label_tokenizer())
    names = {name for name, _ in inspect.getmembers(PartReader) if not name.startswith("_")}
    assert names <= {*dir(reader)}
    assert reader.live == ("chunks" if ctc else "parts")
    assert reader.grid == round(reader.model.frame_s * 16_000)
    assert reader.into == ("eng",)
    assert set(reader.languages) == {"deu", "eng", "spa"}
    assert reader.known == tuple(reader.languages)
    assert not reader.hurries(Request())
    assert reader.longest_s == (None if ctc else 28.0)
