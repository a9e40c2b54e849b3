"""What `speech score --speech` measures of spoken texts: words by a recogniser, pauses, voices, predicted opinions."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio, probe
from speech.audio.output import MEDIA_TYPES, encoded
from speech.audio.vad import Vad, unpadded
from speech.choices import AudioEncoding, OpinionName
from speech.cli.progress import progress
from speech.data.spoken_texts import check_same_texts, read_spoken_texts
from speech.data.texts import Text, check_ids
from speech.errors import DataError, SpeechError
from speech.files import printable, write_atomically
from speech.metrics.bootstrap import Figure
from speech.metrics.edit.error_rate import TextPair
from speech.metrics.edit.runs import EditRun
from speech.metrics.report.listening import HeardText, ListeningTest, render_test
from speech.metrics.report.page import linked_audio
from speech.metrics.speech_quality.figures import SIMILARITY, SpokenMeasures, speech_figures
from speech.metrics.speech_quality.opinions import DistillMos, DnsMos, OpinionModel
from speech.metrics.speech_quality.pauses import pauses_of
from speech.metrics.speech_quality.skips import skipped_and_repeated
from speech.metrics.speech_quality.voice import VoiceEncoder, similarity
from speech.metrics.utterance import Pairing
from speech.recognize.request import Request
from speech.recognizer import Recognizer
from speech.tts.text_front_end.spoken_text import SIGNATURE, spoken_text

_MP3_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_MANIFESTS = (".jsonl", ".json", ".txt")


@dataclass(frozen=True, slots=True)
class SpokenSystem:
    """The measures of one system."""

    name: str
    pairings: Sequence[Pairing]
    """Texts to be said with those that were heard, both as they are spoken."""
    figures: Mapping[str, Figure]
    details: Sequence[Mapping[str, Any]]
    """Of each text for JSON: recording, text, what was heard as the recogniser wrote it, skips and repeats."""


def read_systems(
    paths: Mapping[str, Path], language: str | None, references: Sequence[Path]
) -> tuple[dict[str, dict[str, Text]], dict[str, Path]]:
    """Read the spoken texts of each system, and the recording that the voice of each text is compared with.

    Args:
        paths: manifest or folder of each system.
        language: ISO 639-3, of texts for which no other is given.
        references: manifests or folders that have all ids, together; or one recording for all texts.

    Raises:
        DataError: if systems say different texts, or a text has no recording, language or reference.
    """
    systems = {name: read_spoken_texts(path, language) for name, path in paths.items()}
    first = next(iter(systems.values()))
    for name, texts in systems.items():
        check_same_texts(first, texts, printable(paths[name]))
    if not references:
        return systems, {}
    if len(references) == 1 and references[0].is_file() and references[0].suffix.lower() not in _MANIFESTS:
        return systems, dict.fromkeys(first, references[0])
    known = {key: text for path in references for key, text in read_spoken_texts(path, language or "und").items()}
    check_ids(first, {key: known[key] for key in known if key in first}, ", ".join(map(printable, references)))
    return systems, {key: text.audio for key, text in known.items() if text.audio is not None}


class SpeechScorer:
    """Measures what systems said.

    Args:
        model: of the recogniser.
        device: of the recogniser.
        opinions: what to predict.
        references: id -> recording of the voice to compare with; empty: voices are not compared.

    Raises:
        ModelError: if there is no such recogniser.
        ConfigError: if a package is missing.
    """

    def __init__(
        self, model: str, device: str, opinions: Sequence[OpinionName], references: Mapping[str, Path]
    ) -> None:
        self._vad = Vad()
        made: dict[OpinionName, Callable[[], OpinionModel]] = {
            OpinionName.distillmos: DistillMos,
            OpinionName.dnsmos: DnsMos,
        }
        self._opinions: dict[str, OpinionModel] = {name.value: made[name]() for name in dict.fromkeys(opinions)}
        self._voices = VoiceEncoder(self._vad) if references else None
        self._references = references
        self._vectors: dict[Path, np.ndarray | None] = {}
        self._recognizer = Recognizer.from_pretrained(model, device=device)
        name = Path(model).name
        self.signature = f"recognizer:{name}@{self._recognizer.fingerprint[:12]}|language:given|{SIGNATURE}"

    def check(self, texts: Mapping[str, Text]) -> None:
        """Raises LanguageError if the recogniser does not know a language."""
        for languages in dict.fromkeys(text.languages for text in texts.values()):
            self._recognizer.check(Request(languages))

    def score(self, name: str, texts: Mapping[str, Text]) -> SpokenSystem:
        """Measure one system.

        Raises:
            DataError: naming file and text, if a recording cannot be read.
        """
        heard = self._heard(name, texts)
        pairings = [
            Pairing(_as_spoken(text.text, text), _as_spoken(heard[key], text), text.languages, key)
            for key, text in texts.items()
        ]
        spoken: list[SpokenMeasures] = []
        with progress() as bars:
            bar = bars.add_task(f"{name}: speech", total=len(texts))
            for text, pairing in zip(texts.values(), pairings, strict=True):
                spoken.append(self._measured(text, pairing))
                bars.advance(bar)
        judges = {key: model.name for key, model in self._opinions.items()}
        if self._voices is not None:
            judges[SIMILARITY] = self._voices.name
        details = [_details(text, heard[key], one) for (key, text), one in zip(texts.items(), spoken, strict=True)]
        return SpokenSystem(name, pairings, speech_figures(spoken, self.signature, judges), details)

    def _heard(self, name: str, texts: Mapping[str, Text]) -> dict[str, str]:
        """What the recogniser writes of each recording, the language given."""
        groups: dict[tuple[str, ...], list[Text]] = {}
        for text in texts.values():
            groups.setdefault(text.languages, []).append(text)
        found: dict[str, str] = {}
        with progress() as bars:
            bar = bars.add_task(f"{name}: recognition", total=len(texts))
            for languages, own in groups.items():
                results = self._recognizer.transcribe_files([_recording(one) for one in own], Request(languages))
                for text, (_, transcript) in zip(own, results, strict=True):
                    if isinstance(transcript, SpeechError):
                        raise _unreadable(text, transcript)
                    found[text.id] = transcript.text
                    bars.advance(bar)
        return found

    def _measured(self, text: Text, pairing: Pairing) -> SpokenMeasures:
        try:
            samples = load_audio(_recording(text))
            judged = {name: model.opinion(samples) for name, model in self._opinions.items()}
            likeness = self._likeness(samples, text)
        except SpeechError as error:
            raise _unreadable(text, error) from error
        pair = TextPair(pairing.reference, pairing.hypothesis, pairing.languages)
        skipped, repeated = skipped_and_repeated(pair.mixed)
        pauses = pauses_of(unpadded(self._vad.probabilities(samples), len(samples) / SAMPLE_RATE))
        if likeness is not None:
            judged[SIMILARITY] = likeness
        symbols = len(pair.reference.replace(" ", ""))
        return SpokenMeasures(len(pair.mixed.reference), symbols, pauses, skipped, repeated, judged)

    def _likeness(self, samples: np.ndarray, text: Text) -> float | None:
        """Similarity to the voice of the reference; None if there is none, or nobody speaks in one of both."""
        if self._voices is None:
            return None
        path = self._references[text.id]
        if path not in self._vectors:
            self._vectors[path] = self._voices.vector(load_audio(path))
        own, wanted = self._voices.vector(samples), self._vectors[path]
        return None if own is None or wanted is None else similarity(own, wanted)


def score_systems(scorer: SpeechScorer, systems: Mapping[str, Mapping[str, Text]]) -> Iterator[SpokenSystem]:
    """The measures of each system as soon as it is done; languages of all are checked before."""
    for texts in systems.values():
        scorer.check(texts)
    return (scorer.score(name, texts) for name, texts in systems.items())


def write_page(path: Path, name: str, systems: Mapping[str, Mapping[str, Text]], seed: int, *, embed: bool) -> None:
    """Write the page of a listening test.

    Args:
        name: of the test.
        embed: put the recordings into the page, as MP3; otherwise the page links them.

    Raises:
        ConfigError: if there are fewer than two systems.
        DataError: naming file and text, if a recording cannot be read.
        FileError: if the page cannot be written.
    """
    first = next(iter(systems.values()))
    heard = [
        HeardText(key, text.text, "-".join(text.languages), [_audio(own[key], path, embed) for own in systems.values()])
        for key, text in first.items()
    ]
    write_atomically(path, render_test(ListeningTest(name, tuple(systems), heard, seed)))


def _audio(text: Text, page: Path, embed: bool) -> str:
    """URL of the recording for the page."""
    audio = _recording(text)
    if not embed:
        return linked_audio(audio, page.parent)
    try:
        rate = next((rate for rate in _MP3_RATES if rate >= probe(audio).rate), _MP3_RATES[-1])
        content = encoded(load_audio(audio, rate=rate), AudioEncoding.mp3, rate)
    except SpeechError as error:
        raise _unreadable(text, error) from error
    return f"data:{MEDIA_TYPES[AudioEncoding.mp3]};base64,{b64encode(content).decode()}"


def _recording(text: Text) -> Path:
    if text.audio is None:
        raise DataError(f"{text.id}: has no recording")
    return text.audio


def _unreadable(text: Text, error: SpeechError) -> DataError:
    where = f"{text.id}: {error.where or printable(_recording(text))}"
    return DataError(error.what, where=where, fix=error.fix)


def _as_spoken(text: str, about: Text) -> str:
    return spoken_text(text, about.languages[0])


def _details(text: Text, heard: str, spoken: SpokenMeasures) -> dict[str, Any]:
    return {
        "audio": str(text.audio),
        "text": text.text,
        "heard": heard,
        "pauses_s": [round(length, 3) for length in spoken.pauses.lengths_s],
        "skipped": [_said(run) for run in spoken.skipped],
        "repeated": [_said(run) for run in spoken.repeated],
    }


def _said(run: EditRun) -> str:
    return " ".join(run.units)
