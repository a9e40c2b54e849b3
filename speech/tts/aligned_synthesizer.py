"""An aligned speech language model and its codec as a synthesizer: the first packet after a few frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.errors import ConfigError, ModelError
from speech.models.aligned_ar import AlignedAr
from speech.models.aligned_lm import AlignedPrompt, AlignedVoice, SymbolFrames, Turn
from speech.models.codec import NeuralCodec
from speech.models.speech_lm_checkpoint import KnownSpeaker
from speech.text.speech_vocabulary import SpeechVocabulary
from speech.tts.aligned_voice import END, START, KnownVoice, blended, known_voice
from speech.tts.shared_batch import MOST_ROWS, SharedBatch
from speech.tts.synthesizer import SaidSymbols, uncloned
from speech.tts.voice_blend import read_blend
from speech.tts.voice_file import VoiceFile

ONLY_VOICE = "default"
"""Name of the voice of a model that knows no speakers."""
_SAMPLING = SamplingConfig(temperature=0.7, top_p=0.9, penalty=1.0)
_SYMBOL_FRAMES = 4
"""Frames of the average symbol, at the slowest rate and with a margin: twice this many fit in `max_frames`."""


class AlignedSynthesizer:
    """Synthesizer of an aligned model. Utterances of all threads share its steps, see `SharedBatch`.

    Args:
        model: in evaluation mode, in any precision.
        vocabulary: of single-character symbols.
        codec: of the model's codes.
        speakers: the model's voices by name; none if it takes no speaker embedding.
        voices: more voices, see `known_voice`; one of the same name takes a speaker's place.
        sampling: rules of the draw; the seed is that of each utterance.
        together: utterances that share a step at most.

    Raises:
        ModelError: if a voice does not fit the model.
    """

    def __init__(
        self,
        model: AlignedAr,
        vocabulary: SpeechVocabulary,
        codec: NeuralCodec,
        speakers: Mapping[str, KnownSpeaker],
        voices: Sequence[VoiceFile] = (),
        sampling: SamplingConfig = _SAMPLING,
        together: int = MOST_ROWS,
    ) -> None:
        self._model, self._vocabulary, self._codec = model, vocabulary, codec
        self._own = own_voices(speakers, vocabulary)
        self._voices: Mapping[str, KnownVoice] = self._own
        self.cloned: frozenset[str] = frozenset()
        for voice in voices:
            self.add_voice(voice)
        self._sampling = sampling
        self.marked = {START, END} <= {*vocabulary.symbols}
        """Whether the model has symbols of the silence around an utterance."""
        self.together, self._batch = together, SharedBatch(model, together)
        self.sample_rate = codec.sample_rate
        self.alphabet = frozenset(vocabulary.symbols) - {START, END}
        self.max_symbols = max(model.max_frames // _SYMBOL_FRAMES, 1)

    @property
    def voices(self) -> tuple[str, ...]:
        return tuple(self._voices)

    @property
    def blends(self) -> bool:
        return any(voice.embedding is not None for voice in self._voices.values())

    @property
    def model(self) -> AlignedAr:
        """The language model."""
        return self._model

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """Its symbols and languages."""
        return self._vocabulary

    @property
    def codec(self) -> NeuralCodec:
        """The codec of its codes."""
        return self._codec

    def add_voice(self, voice: VoiceFile) -> None:
        """Add a voice, in the place of one of the same name if there is one; texts may be said meanwhile.

        Raises:
            ModelError: if it does not fit the model.
        """
        known = known_voice(voice, self._model.config, self._vocabulary)
        self.cloned = self.cloned - {voice.name} | ({voice.name} if voice.cloned else set())
        self._voices = {**self._voices, voice.name: known}

    def remove_voice(self, name: str) -> None:
        """Remove a voice that was added; a speaker of its name is there again. A text that it is saying ends with an
        error.

        Raises:
            ConfigError: if no voice of that name was added.
        """
        if name not in self._voices or self._voices[name] is self._own.get(name):
            raise ConfigError(f"no voice {name[:80]!r} was added")
        left = {one: voice for one, voice in self._voices.items() if one != name}
        self._voices = left | ({name: self._own[name]} if name in self._own else {})
        self.cloned -= {name}

    def voice_for(self, language: str) -> str:
        """The first voice that was taught the language; else the first of all. Cloned ones are left out, unless there
        are no others."""
        voices = uncloned(self.voices, self.cloned)
        return next((name for name in voices if self.language_of(name) == language), voices[0])

    def language_of(self, voice: str) -> str:
        """The language that a voice was taught."""
        return self._voices[voice].language

    def say(
        self, symbols: str, voice: str, *, language: str, rate: float, seed: int, soon: bool = True
    ) -> Iterator[SaidSymbols]:
        """Say an utterance; see `Synthesizer`.

        Raises:
            ModelError: if the utterance is longer than the model's maximum: its durations are wrong.
            ConfigError: if the voice was removed.
        """
        marks = int(self.marked)
        text = f"{START}{symbols}{END}" if self.marked else symbols
        embedding, heard = self._spoken_by(voice)
        prompt = AlignedPrompt(
            symbols=self._vocabulary.symbol_tokens(text),
            language=self._vocabulary.language_token(language),
            rate=rate,
            speaker=embedding,
            voice=heard,
        )
        packets = self._batch.say(prompt, Sampler(replace(self._sampling, seed=seed)))
        decoder, told, turn = _CodeDecoder(self._codec), 0, Turn.end
        with closing(packets):
            for packet in packets:
                spans = self._spans(packet.said)[marks : marks + len(symbols)]
                yield SaidSymbols(decoder(packet.codes), spans[told:])
                told, turn = len(spans), packet.turn
        if turn == Turn.frame:
            seconds = self._model.max_frames * self._model.frame_s
            raise ModelError(f"{len(symbols)} phonemes take more than the model's {seconds:.0f} s")

    def _spoken_by(self, voice: str) -> tuple[Tensor | None, AlignedVoice | None]:
        """Embedding and speech of a voice; of a blend, the mean of the embeddings.

        Raises:
            ConfigError: if there is no such voice any more, or one of a blend has no embedding.
        """
        weights, voices = read_blend(voice), self._voices
        gone = [name for name in weights if name not in voices]
        if gone:
            raise ConfigError(f"there is no voice {gone[0][:80]!r}")
        if len(weights) == 1:
            return voices[next(iter(weights))][1:]
        return blended({name: voices[name].embedding for name in weights}, weights), None

    def _spans(self, said: SymbolFrames) -> list[tuple[float, float]]:
        """Times of the symbols so far, the marks included."""
        frame_s, places = self._model.frame_s, zip(said.first_frames, said.frame_counts, strict=True)
        return [(first * frame_s, (first + count) * frame_s) for first, count in places]


def own_voices(speakers: Mapping[str, KnownSpeaker], vocabulary: SpeechVocabulary) -> dict[str, KnownVoice]:
    """The voices of a model to which none was added: its speakers, or else `ONLY_VOICE`."""
    known = {name: KnownVoice(own.language, own.embedding) for name, own in speakers.items()}
    return known or {ONLY_VOICE: KnownVoice(next(iter(vocabulary.languages), "eng"))}


class _CodeDecoder:
    """Decodes the codes of one utterance as they come."""

    def __init__(self, codec: NeuralCodec) -> None:
        self._codec, self._state, self._skip = codec, codec.init_decoder(1), codec.delay_samples

    @torch.inference_mode()
    def __call__(self, codes: Tensor) -> Tensor:
        """The next samples `(n,)`, within full scale, of codes `(codebooks, frames)`."""
        samples, self._state = self._codec.decode_step(codes[None].to(self._codec.device), self._state)
        skipped = min(self._skip, samples.shape[1])
        self._skip -= skipped
        return samples[0, skipped:].float().clamp(-1, 1).cpu()
