"""Voices of Kokoro from recordings: the nearest voice of the model, moved by `style_fitting` until it sounds alike.

It takes a minute or two of both cores. The styles of all text lengths are moved alike, and the statistics that windows
need are measured while the recording's text is said.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import soxr
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import Source
from speech.audio.input.source import name_of
from speech.audio.vad import Vad
from speech.errors import AudioError, TextError
from speech.metrics.speech_quality.voice import VoiceEncoder
from speech.models.kokoro import KokoroRequest
from speech.models.kokoro_voice import KokoroVoice
from speech.models.storage import KOKORO
from speech.nn.kokoro.norm_statistics import measuring
from speech.text.languages import resolve
from speech.tts.cloning import CloneRequest, Listener, clone_card, load_recording, text_of
from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from speech.tts.pronunciation.pronunciation import Pronouncer
from speech.tts.style_fitting import StyleFitter, Told, target_of
from speech.tts.synthesizer import uncloned
from speech.tts.text_front_end.reading import read_text
from speech.tts.voice_file import VoiceFile

_COMPARED = 100
"""Symbols that each voice says to be compared with the recording."""
_BEGINNINGS = (1, 2, 3, 4, 6, 9)
"""Words of short utterances whose statistics are measured."""
_LEAST_SCALE = 1e-3
"""Of a style's numbers, where all voices have the same."""


class KokoroCloner:
    """Makes voices for one Kokoro, which has to be on the CPU.

    Args:
        synthesizer: the model.
        pronouncer: knows the phonemes of words.
        model: SHA-256 of the model's weights.
        listener: finds out what is said in recordings without a text.
        told: is told of each step.

    Raises:
        ConfigError: if the package of the speaker encoder is missing.
    """

    def __init__(
        self,
        synthesizer: KokoroSynthesizer,
        pronouncer: Pronouncer,
        model: str,
        listener: Listener,
        told: Told = lambda done, steps: None,
    ) -> None:
        self._synthesizer, self._pronouncer, self._told = synthesizer, pronouncer, told
        self._digest, self._listener, self._encoder = model, listener, VoiceEncoder(Vad())

    def clone(self, recording: Source, wanted: CloneRequest) -> VoiceFile:
        """Make a voice; see `Cloner`."""
        code = resolve(wanted.language).code
        heard = load_recording(recording)
        found = self._encoder.vector(heard)
        if found is None:
            raise AudioError("nobody speaks in it", where=name_of(recording))
        symbols = self._pronounced(text_of(heard, wanted, self._listener), code)
        target = target_of(self._encoder.speech(heard), torch.tensor(found), self._encoder)
        base = self._nearest(symbols, found, code)
        fitter = StyleFitter(self._synthesizer.model, self._ids(symbols), self._scale(), target, self._encoder)
        fitted = KokoroVoice(base.styles + fitter.fit(base.style_of(len(symbols)), self._told))
        voice = KokoroVoice(fitted.styles, self._statistics(symbols, fitted))
        now = datetime.now(UTC)
        return VoiceFile(
            name=wanted.name,
            language=code,
            kind=KOKORO,
            model=self._digest,
            tensors=voice.tensors,
            cloned=True,
            card=clone_card(wanted, len(heard) / SAMPLE_RATE, now, self._digest),
            created=now.isoformat(timespec="seconds"),
        )

    def _pronounced(self, text: str, language: str) -> str:
        """The symbols of a text, as many as the model says at once.

        Raises:
            LanguageError: for letters or digits that cannot be spoken, with their place.
            TextError: if nothing is left.
        """
        alphabet = self._synthesizer.alphabet
        parts = [
            self._pronouncer(part.spoken, part.language).within(alphabet).symbols for part in read_text(text, language)
        ]
        symbols = " ".join(part for part in parts if part.strip())[: self._synthesizer.max_symbols]
        if not symbols.strip():
            raise TextError("nothing in the text of the recording can be said", fix="Give the text.")
        return symbols

    def _ids(self, symbols: str) -> list[int]:
        return list(self._synthesizer.symbols.encode(symbols).ids)

    def _nearest(self, symbols: str, wanted: np.ndarray, language: str) -> KokoroVoice:
        """The voice of the model that sounds most like a vector `(256,)`; the first if none can be heard."""
        synthesizer = self._synthesizer
        names = uncloned(synthesizer.voices, synthesizer.cloned)
        return synthesizer.known[
            max(names, key=lambda name: self._likeness(symbols[:_COMPARED], name, wanted, language))
        ]

    def _likeness(self, symbols: str, name: str, wanted: np.ndarray, language: str) -> float:
        pieces = self._synthesizer.say(symbols, name, language=language, rate=1.0, seed=0)
        samples = torch.cat([piece.samples for piece in pieces]).numpy()
        heard = soxr.resample(samples, self._synthesizer.sample_rate, SAMPLE_RATE).astype(np.float32)
        found = self._encoder.vector(heard)
        return -1.0 if found is None else float(found @ wanted)

    def _scale(self) -> Tensor:
        """Standard deviation of each number of a style among voices and lengths of text."""
        styles = torch.cat([voice.styles for voice in self._synthesizer.known.values()])
        return styles.std(dim=0, correction=0).clamp(min=_LEAST_SCALE)

    def _statistics(self, symbols: str, voice: KokoroVoice) -> Tensor:
        """`KokoroVoice.norms` of a voice: of the whole text, and of its beginnings, which are cut between words."""
        model, words = self._synthesizer.model, symbols.split(" ")
        texts = [" ".join(words[:count]) for count in _BEGINNINGS if count < len(words)]
        with measuring(model.decoder) as meter:
            for text in [*texts, symbols]:
                model.speak([KokoroRequest(ids=self._ids(text), style=voice.style_of(len(text)))])
        return meter.by_length().norms
