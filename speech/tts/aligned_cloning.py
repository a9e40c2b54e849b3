"""Voices from recordings: what an aligned model needs to imitate some seconds of somebody's speech.

    recording -> embedding of the speaker; codes, by the model's codec
    text -> phonemes; words and recording -> times, by forced alignment -> frames of each phoneme

Of the time of a word its phonemes have shares as the model expects them. Silence is that of pauses and of both ends.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import Source, load_audio
from speech.audio.input.source import name_of
from speech.audio.vad import Vad, segment
from speech.errors import AudioError, ConfigError, DataError, TextError
from speech.metrics.speech_quality.voice import VECTOR_DIM, VoiceEncoder, speaker_vector
from speech.models.storage import ALIGNED_AR
from speech.text.languages import resolve
from speech.tts.aligned_synthesizer import AlignedSynthesizer
from speech.tts.aligned_voice import CODES, END, FRAMES, SPEAKER, START, known_voice
from speech.tts.cloning import LONGEST_S, CloneRequest, Listener, clone_card, load_recording, text_of
from speech.tts.pronunciation.pronunciation import Pronouncer
from speech.tts.symbol_frames import frames_of_symbols, times_of_words
from speech.tts.text_front_end.reading import read_text
from speech.tts.voice_file import VoiceFile


class _Phonemes(NamedTuple):
    symbols: str
    """With the marks of both ends, if the model has them."""
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    """For each word its first symbol, and one behind its last."""


class AlignedCloner:
    """Makes voices for one model.

    Args:
        synthesizer: the model.
        pronouncer: knows the phonemes of words.
        model: SHA-256 of the model's weights.
        listener: finds out when words are said, and which, in the languages of recordings.

    Raises:
        ConfigError: if the package of the speaker encoder is missing, or the model takes other embeddings.
    """

    def __init__(self, synthesizer: AlignedSynthesizer, pronouncer: Pronouncer, model: str, listener: Listener) -> None:
        self._synthesizer, self._pronouncer = synthesizer, pronouncer
        self._digest, self._listener, self._vad = model, listener, Vad()
        dim = synthesizer.model.config.speaker_dim
        if dim not in (0, VECTOR_DIM):
            text = f"the model takes embeddings of {dim} numbers, those of recordings have {VECTOR_DIM}"
            raise ConfigError(text, fix="Train it with the vectors of recipes/tts/speaker_vectors.py.")
        self._encoder = VoiceEncoder(self._vad) if dim else None

    def clone(self, recording: Source, wanted: CloneRequest) -> VoiceFile:
        """Make a voice; see `Cloner`."""
        where, code = name_of(recording), resolve(wanted.language).code
        language = self._synthesizer.vocabulary.language_token(code)
        heard = load_recording(recording)
        codes = self._codes(load_audio(recording, max_s=LONGEST_S, rate=self._synthesizer.sample_rate), where)
        embedding = self._embedding(heard, where)
        said = self._pronounced(text_of(heard, wanted, self._listener), code)
        tokens = self._synthesizer.vocabulary.symbol_tokens(said.symbols)
        aligned = self._listener.align(heard, " ".join(said.words), language=code)
        frames = frames_of_symbols(
            self._synthesizer.model.expected_frames(tokens, language, embedding).tolist(),
            said.spans,
            times_of_words(said.words, aligned.words),
            codes.shape[1],
            self._synthesizer.model.frame_s,
        )
        prompt = {CODES: codes.to(torch.int32), FRAMES: torch.tensor(frames, dtype=torch.int32)}
        now = datetime.now(UTC)
        made = VoiceFile(
            name=wanted.name,
            language=code,
            kind=ALIGNED_AR,
            model=self._digest,
            tensors=prompt if embedding is None else {SPEAKER: embedding, **prompt},
            cloned=True,
            card=clone_card(wanted, len(heard) / SAMPLE_RATE, now, self._digest),
            created=now.isoformat(timespec="seconds"),
            phonemes=said.symbols,
        )
        known_voice(made, self._synthesizer.model.config, self._synthesizer.vocabulary)
        return made

    def _embedding(self, heard: np.ndarray, where: str) -> Tensor | None:
        """The embedding of the speaker; None if the model takes none.

        Raises:
            AudioError: if nobody speaks.
        """
        found = speaker_vector(self._encoder, [heard]) if self._encoder is not None else None
        if not segment(heard, self._vad) or (self._encoder is not None and found is None):
            raise AudioError("nobody speaks in it", where=where)
        return found

    @torch.inference_mode()
    def _codes(self, samples: np.ndarray, where: str) -> Tensor:
        """Codes `(codebooks, frames)` of samples at the rate of the codec.

        Raises:
            DataError: if the model imitates fewer of them.
        """
        codec, config = self._synthesizer.codec, self._synthesizer.model.config
        lengths = torch.tensor([len(samples)], device=codec.device)
        count = int(codec.frames(lengths))
        if count > config.voice_frames:
            seconds = count * codec.frame_s, config.voice_frames * codec.frame_s
            raise DataError("has {:.1f} s, this model imitates at most {:.1f} s".format(*seconds), where=where)
        codes, _ = codec.encode(torch.from_numpy(samples)[None].to(codec.device), lengths)
        return codes[0].cpu()

    def _pronounced(self, text: str, language: str) -> _Phonemes:
        """The phonemes of a text, those that the model has.

        Raises:
            LanguageError: for letters or digits that cannot be spoken, with their place.
            TextError: if nothing is left.
        """
        synthesizer, symbols = self._synthesizer, ""
        words: list[str] = []
        spans: list[tuple[int, int]] = []
        for stretch in read_text(text, language):
            own = self._pronouncer(stretch.spoken, stretch.language).within(synthesizer.alphabet)
            if symbols and " " in synthesizer.alphabet:
                symbols += " "
            spans += [(len(symbols) + first, len(symbols) + last) for first, last in own.words]
            words += [word.text for word in stretch.spoken.words]
            symbols += own.symbols
        if not any(last > first for first, last in spans):
            raise TextError("nothing in the text of the recording can be said", fix="Give the text.")
        if synthesizer.marked:
            symbols, spans = f"{START}{symbols}{END}", [(first + 1, last + 1) for first, last in spans]
        return _Phonemes(symbols, tuple(words), tuple(spans))
