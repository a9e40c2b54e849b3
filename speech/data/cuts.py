"""Conversion between utterances and Lhotse cuts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from speech.audio import SAMPLE_RATE
from speech.data.manifest import Utterance
from speech.errors import DataError
from speech.transcript import Word

if TYPE_CHECKING:
    from lhotse import AudioSource, MonoCut
    from lhotse.cut import Cut


def to_cut(utterance: Utterance, source: AudioSource | None = None, n_samples: int | None = None) -> MonoCut:
    """Convert an utterance to a cut with one supervision; no audio is read.

    The recording is described as 16 kHz mono. The file must match this if Lhotse is to read it
    (`speech.audio.input.files.load_audio` reads any).

    Args:
        utterance: utterance to convert.
        source: source of its audio; the utterance's file by default.
        n_samples: exact length at 16 kHz; computed from the manifest's duration by default.
    """
    from lhotse import AudioSource, MonoCut, Recording, SupervisionSegment  # takes seconds to import

    n_samples = n_samples or max(1, round(utterance.duration_s * SAMPLE_RATE))
    recording = Recording(
        id=utterance.id,
        sources=[source or AudioSource(type="file", channels=[0], source=str(utterance.audio))],
        sampling_rate=SAMPLE_RATE,
        num_samples=n_samples,
        duration=n_samples / SAMPLE_RATE,
    )
    supervision = SupervisionSegment(
        id=utterance.id,
        recording_id=utterance.id,
        start=0.0,
        duration=recording.duration,
        text=utterance.text,
        language=utterance.language,
        speaker=utterance.speaker,
        custom={
            "translations": dict(utterance.translations),
            "parallel_id": utterance.parallel_id,
            "source": utterance.source,
            "licence": utterance.licence,
            "audio": str(utterance.audio),
            "duration_s": utterance.duration_s,
            "words": [asdict(word) for word in utterance.words],
        },
    )
    return MonoCut(
        id=utterance.id,
        start=0.0,
        duration=recording.duration,
        channel=0,
        supervisions=[supervision],
        recording=recording,
    )


def from_cut(cut: Cut) -> Utterance:
    """Convert a cut to an utterance: one of `to_cut`, or any cut with one supervision that has language and text.

    Raises:
        DataError: if the cut does not have exactly one supervision, or it has no text or language.
    """
    if len(cut.supervisions) != 1:
        raise DataError(f"has {len(cut.supervisions)} supervisions, expected 1", where=f"cut {cut.id}")
    supervision = cut.supervisions[0]
    if supervision.text is None or supervision.language is None:
        raise DataError("its supervision has no text or no language", where=f"cut {cut.id}")
    custom = supervision.custom or {}
    audio = custom.get("audio")
    if audio is None:
        audio = next((s.source for s in cut.recording.sources if s.type == "file"), cut.id)
    return Utterance(
        id=cut.id,
        audio=Path(audio),
        duration_s=custom.get("duration_s", cut.duration),
        language=supervision.language,
        text=supervision.text,
        translations=dict(custom.get("translations") or {}),
        parallel_id=custom.get("parallel_id"),
        speaker=supervision.speaker or "",
        source=custom.get("source", ""),
        licence=custom.get("licence", ""),
        words=tuple(Word(**word) for word in custom.get("words") or ()),
    )
