"""An aligned speech language model and its codec as a synthesizer: the first packet after a few frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.errors import ModelError
from speech.models.aligned_ar import AlignedAr
from speech.models.aligned_generation import AlignedStream
from speech.models.aligned_lm import AlignedPrompt, SymbolFrames, Turn
from speech.models.codec import NeuralCodec
from speech.models.speech_lm_checkpoint import KnownSpeaker
from speech.text.speech_vocabulary import SpeechVocabulary
from speech.tts.synthesizer import SaidSymbols

START, END = "^", "$"
"""Symbols of the silence before and behind an utterance, if the model has them."""
ONLY_VOICE = "default"
"""Name of the voice of a model that knows no speakers."""
_SAMPLING = SamplingConfig(temperature=0.7, top_p=0.9, penalty=1.0)
_FIRST_FRAMES, _MOST_FRAMES = 2, 16
"""Frames of the first packet; each later one has twice as many, up to a maximum."""
_SYMBOL_FRAMES = 4
"""Frames of the average symbol, at the slowest rate and with a margin: twice this many fit in `max_frames`."""


class AlignedSynthesizer:
    """Synthesizer of an aligned model.

    Args:
        model: in evaluation mode, in any precision.
        vocabulary: of single-character symbols.
        codec: of the model's codes.
        speakers: the model's voices by name; none if it takes no speaker embedding.
        sampling: rules of the draw; the seed is that of each utterance.
    """

    def __init__(
        self,
        model: AlignedAr,
        vocabulary: SpeechVocabulary,
        codec: NeuralCodec,
        speakers: Mapping[str, KnownSpeaker],
        sampling: SamplingConfig = _SAMPLING,
    ) -> None:
        self._model, self._vocabulary, self._codec, self._speakers = model, vocabulary, codec, dict(speakers)
        self._sampling = sampling
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
        known = self._speakers.get(voice)
        prompt = AlignedPrompt(
            symbols=self._vocabulary.symbol_tokens(text),
            language=self._vocabulary.language_token(language),
            rate=rate,
            speaker=None if known is None else known.embedding,
        )
        stream = AlignedStream(self._model, prompt, Sampler(replace(self._sampling, seed=seed)))
        decoder = _CodeDecoder(self._codec)
        size, told = _FIRST_FRAMES, 0
        while stream.turn == Turn.frame:
            if stream.limited:
                seconds = self._model.max_frames * self._model.frame_s
                raise ModelError(f"{len(symbols)} phonemes take more than the model's {seconds:.0f} s")
            samples = decoder(stream.next(size))
            spans = self._spans(stream.said)[marks : marks + len(symbols)]
            yield SaidSymbols(samples, spans[told:])
            size, told = min(2 * size, _MOST_FRAMES), len(spans)

    def _spans(self, said: SymbolFrames) -> list[tuple[float, float]]:
        """Times of the symbols so far, the marks included."""
        frame_s, places = self._model.frame_s, zip(said.first_frames, said.frame_counts, strict=True)
        return [(first * frame_s, (first + count) * frame_s) for first, count in places]


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
