"""`speech.data.cuts`: utterances as Lhotse cuts and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, MonoCut, SupervisionSegment

from speech.data.cuts import from_cut, to_cut
from speech.data.manifest import Utterance
from speech.errors import DataError
from speech.transcript import Word


def an_utterance(audio: Path, duration_s: float = 0.5) -> Utterance:
    return Utterance(
        id="a",
        audio=audio,
        duration_s=duration_s,
        language="eng",
        text="Good morning",
        translations={"deu": "Guten Morgen"},
        parallel_id="greeting",
        speaker="s1",
        source="corpus",
        licence="CC0",
    )


def test_cuts_give_back_the_utterances_they_were_made_of() -> None:
    utterances = [
        an_utterance(Path("/none/a.wav"), duration_s=1.23456789),
        Utterance(id="b", audio=Path("/none/b.wav"), duration_s=2.0, language="fra", text=""),
    ]
    assert [from_cut(to_cut(utterance)) for utterance in utterances] == utterances


def through_file(utterance: Utterance, folder: Path) -> Utterance:
    """What becomes of an utterance whose cut Lhotse writes to a file and reads again."""
    CutSet.from_cuts([to_cut(utterance)]).to_file(folder / "cuts.jsonl.gz")
    [cut] = CutSet.from_file(folder / "cuts.jsonl.gz")
    return from_cut(cut)


def test_cuts_survive_lhotses_own_file(tmp_path: Path) -> None:
    utterance = an_utterance(Path("/none/a.wav"), duration_s=1.23456789)
    assert through_file(utterance, tmp_path) == utterance


def test_words_survive_too(tmp_path: Path) -> None:
    words = (Word("guten", 0.0, 0.2, 0.5, "deu"), Word("morning", 0.2, 0.5, 1.0, "eng"))
    utterance = replace(an_utterance(Path("/none/a.wav")), words=words)
    assert from_cut(to_cut(utterance)) == utterance
    assert through_file(utterance, tmp_path) == utterance


def test_lhotse_reads_the_audio_of_a_cut(tmp_path: Path) -> None:
    samples = (0.1 * np.sin(np.arange(8000) / 10)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    cut = to_cut(an_utterance(tmp_path / "a.wav"))
    np.testing.assert_array_equal(cut.load_audio()[0], samples)
    assert cut.supervisions[0].language == "eng"


def test_a_cut_without_one_supervision_with_text_is_an_error() -> None:
    cut = MonoCut(id="bare", start=0, duration=1, channel=0)
    with pytest.raises(DataError, match=r"bare.*0 supervisions"):
        from_cut(cut)
    cut.supervisions = [SupervisionSegment(id="s", recording_id="r", start=0, duration=1, text="x")]
    with pytest.raises(DataError, match="no language"):
        from_cut(cut)
