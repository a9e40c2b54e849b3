"""A hybrid of the model that ships and a label decoder of random weights, and a decoder that writes what CTC hears."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from speech.choices import Storage
from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.joint import JointConfig
from speech.decode.label.timing import TimedText, WrittenWord, time_by_ctc, written_words
from speech.models.checkpoint import LANGUAGE_MODEL, LEXICON, LabelCheckpoint, load_checkpoint
from speech.models.hub import EMBEDDED, locate
from speech.models.hybrid import Hybrid, save_hybrid
from speech.models.translation_targets import TargetScore
from speech.recognize.label_part import Judged, LabelPart
from speech.recognize.label_pass import LabelPass
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper

SCORE = TargetScore(chrf=45.0, source_chrf=20.0, utterances=30, sources=("fra",), data="made up")


def save_writing_hybrid(path: Path, *, translates: bool = False) -> Path:
    """In a folder that is not there yet; with `translates` it says that it translates into English."""
    ctc = load_checkpoint(locate(EMBEDDED))
    hybrid = Hybrid(
        replace(ctc, targets={"eng": SCORE} if translates else {}),
        LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {}),
        JointConfig(learnt=["deu", "eng", "spa"]),
    )
    beside = {name: locate(EMBEDDED) / name for name in (LANGUAGE_MODEL, LEXICON)}
    save_hybrid(path, hybrid, card="", label_card="", storage=Storage.int8, attached=beside)
    return path


@contextmanager
def writing(seconds_a_second: float = 0.0) -> Iterator[None]:
    """The decoders of such hybrids write CTC's text with a capital and a full stop, or "In English." for a translation,
    and take their time; others are left alone."""
    usual, usually_knows, own = LabelPass.write, LabelPass.knows, tiny_label_tokenizer().data

    def write(
        self: LabelPass, part: LabelPart, language: str, judged: Judged, *, target: str | None = None, **_: Any
    ) -> TimedText:
        if self.tokenizer.data != own:
            return usual(self, part, language, judged, target=target, **_)
        time.sleep(seconds_a_second * len(judged.log_probs) * 0.02)
        if target is not None:
            middle = len(judged.log_probs) // 2
            spans = tuple(TokenSpan(0, frame, frame + 1, 0.9) for frame in (middle, middle + 1))
            return TimedText((WrittenWord("In", 0, 0), WrittenWord("English.", 1, 1)), spans, language)
        text = f"{judged.texts[0].capitalize()}."
        return replace(
            time_by_ctc(written_words(text), judged.log_probs, judged.spell) or TimedText(), language=language
        )

    def knows(self: LabelPass, code: str) -> bool:
        return self.tokenizer.data == own or usually_knows(self, code)

    with patch.object(LabelPass, "write", write), patch.object(LabelPass, "knows", knows):
        yield
