"""An aligned speech language model and its codec as a synthesizer: the first packet after a few frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.errors import ModelError
from speech.models.aligned_ar import AlignedAr
from speech.models.aligned_lm import AlignedPrompt, SymbolFrames, Turn
from speech.models.codec import NeuralCodec
from speech.models.speech_lm_checkpoint import KnownSpeaker
from speech.text.speech_vocabulary import SpeechVocabulary
from speech.tts.shared_batch import MOST_ROWS, SharedBatch
from speech.tts.synthesizer import SaidSymbols
from speech.tts.voice_blend import read_blend
from speech.tts.voice_file import VoiceFile

START, END = "^", "$"
"""Symbols of the silence before and behind an utterance, if the model has them."""
SPEAKER = "speaker"
"""Name of the embedding in a voice file."""
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
        voices: more voices, each with its `speaker (speaker_dim,)`; one of the same name takes a speaker's place.
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
        dim = model.config.speaker_dim
        self._speakers = {**speakers, **{voice.name: speaker_of(voice, dim) for voice in voices}}
        self.cloned = frozenset(voice.name for voice in voices if voice.cloned)
        self.blends = bool(self._speakers)
        self._sampling = sampling
        self.together, self._batch = together, SharedBatch(model, together)
        self._marked = {START, END} <= {*vocabulary.symbols}
        self.sample_rate = codec.sample_rate
        self.alphabet = frozenset(vocabulary.symbols) - {START, END}
        self.max_symbols = max(model.max_frames // _SYMBOL_FRAMES, 1)
        self.voices = tuple(self._speakers) or (ONLY_VOICE,)

    def voice_for(self, language: str) -> str:
        """The first voice that was taught the language; else the first of all."""
        return next((name for name in self.voices if self.language_of(name) == language), self.voices[0])

    def language_of(self, voice: str) -> str:
        """The language that a voice was taught."""
        if voice in self._speakers:
            return self._speakers[voice].language
        return next(iter(self._vocabulary.languages), "eng")

    def say(self, symbols: str, voice: str, *, language: str, rate: float, seed: int) -> Iterator[SaidSymbols]:
        """Say an utterance; see `Synthesizer`.

        Raises:
            ModelError: if the utterance is longer than the model's maximum: its durations are wrong.
        """
        marks = int(self._marked)
        text = f"{START}{symbols}{END}" if self._marked else symbols
        prompt = AlignedPrompt(
            symbols=self._vocabulary.symbol_tokens(text),
            language=self._vocabulary.language_token(language),
            rate=rate,
            speaker=self._speaker(voice),
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

    def _speaker(self, voice: str) -> Tensor | None:
        """The embedding of a voice, or the mean of several; None if the model knows no speakers."""
        if not self._speakers:
            return None
        weights = read_blend(voice)
        return torch.stack([weight * self._speakers[name].embedding for name, weight in weights.items()]).sum(dim=0)

    def _spans(self, said: SymbolFrames) -> list[tuple[float, float]]:
        """Times of the symbols so far, the marks included."""
        frame_s, places = self._model.frame_s, zip(said.first_frames, said.frame_counts, strict=True)
        return [(first * frame_s, (first + count) * frame_s) for first, count in places]


def speaker_of(voice: VoiceFile, dim: int) -> KnownSpeaker:
    """The speaker of a voice file.

    Raises:
        ModelError: if it has none of that size.
    """
    found = voice.tensors.get(SPEAKER)
    if found is None or found.shape != (dim,) or not dim:
        shape = "none" if found is None else tuple(found.shape)
        raise ModelError(
            f"has a speaker of shape {shape}, the model takes {dim or 'none'}", where=f"voice {voice.name}"
        )
    return KnownSpeaker(voice.language, found.float())


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
