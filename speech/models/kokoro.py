"""Kokoro: symbols and a style to samples, without autoregression (StyleTTS 2, Li et al. 2023, without diffusion).

symbols -> ALBERT -> prosody: durations -> frames of 25 ms -> fundamental frequency, energy
symbols -> convolutions, LSTM ----------> the same frames -> decoder with a harmonic source -> samples
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from speech.errors import ConfigError
from speech.nn.kokoro.albert import Albert, AlbertConfig
from speech.nn.kokoro.decoder import StyleDecoder, StyleDecoderConfig
from speech.nn.kokoro.generator import GeneratorConfig
from speech.nn.kokoro.harmonic_source import HARMONICS, NoiseRow
from speech.nn.kokoro.prosody import Durations, ProsodyPredictor, spread
from speech.nn.kokoro.text_encoder import SymbolEncoder
from speech.ranges import Range, check, ranged

EDGE = 0
"""Symbol before and behind each text."""
SPEED = Range(least=0.25, most=4)
"""Allowed speeds of speech."""


@dataclass(kw_only=True, slots=True)
class KokoroConfig:
    """Shape of the model; by default that of the published Kokoro-82M."""

    symbols: int = ranged(178, least=2)
    dim: int = ranged(512, least=2)
    """Channels of encoded symbols, even."""
    style_dim: int = ranged(128, least=1)
    """Channels of each half of a style: that of the decoder, then that of the prosody."""
    layers: int = ranged(3, least=1)
    """Convolutions of the symbol encoder, and LSTMs of the prosody encoder."""
    kernel: int = ranged(5, least=1)
    """Taps of these convolutions, odd."""
    max_duration: int = ranged(50, least=1)
    """Longest duration of a symbol in frames, at speed 1."""
    sample_rate: int = ranged(24000, least=8000, most=192000)
    """Hz."""
    albert: AlbertConfig = field(default_factory=AlbertConfig)
    decoder: StyleDecoderConfig = field(default_factory=StyleDecoderConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)

    def __post_init__(self) -> None:
        check(self, "model")
        if self.dim % 2 or self.kernel % 2 == 0:
            raise ConfigError(
                f"model.dim {self.dim}, model.kernel {self.kernel}", fix="Give an even dim and an odd kernel."
            )

    def build(self) -> Kokoro:
        """Build the model with random parameters."""
        return Kokoro(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class KokoroRequest:
    """A text to be spoken."""

    ids: Sequence[int]
    """Symbols, without those at the edges."""
    style: Tensor
    """`(2 * style_dim,)`: of the decoder, then of the prosody."""
    speed: float = 1.0
    """Durations are divided by it."""
    seed: int | None = 0
    """Of the noise in the excitation; None: no noise."""


@dataclass(frozen=True, slots=True)
class KokoroSpeech:
    """A spoken text."""

    samples: Tensor
    """`(frames * frame_samples,)`, float32 on the CPU."""
    durations: Tensor
    """Frames of each symbol `(symbols + 2,)`: of the silence in front, of the symbols, of the silence behind."""


class Kokoro(nn.Module):
    """Speaks texts that share a batch; what the others are changes nothing but the order of sums of floats."""

    def __init__(self, config: KokoroConfig) -> None:
        super().__init__()
        self.config = config
        self.albert = Albert(config.symbols, config.albert)
        self.projection = nn.Linear(config.albert.dim, config.dim)
        self.prosody = ProsodyPredictor(config.dim, config.style_dim, config.layers, config.max_duration)
        self.text_encoder = SymbolEncoder(config.symbols, config.dim, config.layers, config.kernel)
        self.decoder = StyleDecoder(config.dim, config.style_dim, config.sample_rate, config.decoder, config.generator)
        self.parameter_count = sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        return self.projection.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.projection.weight.dtype

    @property
    def sample_rate(self) -> int:
        return self.config.sample_rate

    @property
    def frame_samples(self) -> int:
        """Samples in a frame, the unit of durations."""
        return self.decoder.frame_samples

    @property
    def frame_s(self) -> float:
        """Seconds of a frame."""
        return self.frame_samples / self.sample_rate

    @property
    def most_symbols(self) -> int:
        """Most symbols of a request."""
        return self.config.albert.positions - 2

    def predict(self, symbols: Tensor, lengths: Tensor, styles: Tensor, speeds: Tensor) -> Durations:
        """Predict durations.

        Args:
            symbols: `(batch, time)`, with those at the edges.
            lengths: symbols of each row `(batch,)`.
            styles: `(batch, 2 * style_dim)`.
            speeds: `(batch,)`.
        """
        return self.durations(self.albert(symbols, lengths), lengths, styles, speeds)

    def durations(self, encoded: Tensor, lengths: Tensor, styles: Tensor, speeds: Tensor) -> Durations:
        """`predict` behind ALBERT, which gives `encoded (batch, time, albert.dim)`."""
        x = self.projection(encoded)
        return self.prosody.durations(x, styles[:, self.config.style_dim :], speeds, lengths)

    def render(
        self, symbols: Tensor, lengths: Tensor, durations: Durations, styles: Tensor, noise: Tensor | None
    ) -> Tensor:
        """Samples `(batch, frames * frame_samples)` of symbols with known durations, 0 beyond the end of a row.

        Args:
            symbols: `(batch, time)`, with those at the edges.
            lengths: symbols of each row `(batch,)`.
            durations: of these symbols.
            styles: `(batch, 2 * style_dim)`.
            noise: of the excitation, `(batch, frames * frame_samples, HARMONICS)`; None: no noise.
        """
        voice, prosody = styles.split(self.config.style_dim, dim=1)
        frames = durations.frames.sum(dim=1)
        pitch, energy = self.prosody.curves(spread(durations.encoded, durations.frames), prosody, frames)
        text = spread(self.text_encoder(symbols, lengths), durations.frames)
        return self.decoder(text, pitch, energy, voice, frames, noise)

    @torch.no_grad()
    def speak(self, requests: Sequence[KokoroRequest]) -> list[KokoroSpeech]:
        """Speak texts as one batch.

        Raises:
            ConfigError: naming the request, if it has no symbols or too many, an unknown symbol, a style of another
                shape, or a speed outside `SPEED`.
        """
        if not requests:
            return []
        for number, request in enumerate(requests):
            self.check(request, f"request {number}")
        rows = [torch.tensor([EDGE, *request.ids, EDGE]) for request in requests]
        symbols = pad_sequence(rows, batch_first=True, padding_value=EDGE).to(self.device)
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        styles = torch.stack([request.style.detach().cpu().float() for request in requests]).to(self.device, self.dtype)
        speeds = torch.tensor([request.speed for request in requests], device=self.device, dtype=self.dtype)
        durations = self.predict(symbols, lengths, styles, speeds)
        frames = durations.frames.cpu()
        counts = (frames.sum(dim=1) * self.frame_samples).tolist()
        noise = self.noise([request.seed for request in requests], counts)
        samples = self.render(symbols, lengths, durations, styles, noise).float().cpu()
        return [
            KokoroSpeech(samples[n, :count].clone(), frames[n, : len(row)])
            for n, (row, count) in enumerate(zip(rows, counts, strict=True))
        ]

    def noise(self, seeds: Sequence[int | None], counts: Sequence[int]) -> Tensor:
        """Noise `(batch, samples, HARMONICS)`, of each row by its own generator on the CPU: the same on every device
        and beside any other row."""
        rows = [
            torch.zeros(count, HARMONICS) if seed is None else NoiseRow(seed, count)(0, count)
            for seed, count in zip(seeds, counts, strict=True)
        ]
        return pad_sequence(rows, batch_first=True).to(self.device)

    def check(self, request: KokoroRequest, where: str) -> None:
        """Refuse what cannot be spoken; errors as `speak`, naming `where`."""
        count, symbols = len(request.ids), self.config.symbols
        if not 1 <= count <= self.most_symbols:
            fix = "Cut the text at a pause." if count else "Give a text with symbols that the model knows."
            raise ConfigError(f"{count} symbols, expected 1 to {self.most_symbols}", where=where, fix=fix)
        strange = [symbol for symbol in request.ids if not 0 <= symbol < symbols]
        if strange:
            raise ConfigError(f"symbol {strange[0]}, expected 0 to {symbols - 1}", where=where)
        if request.style.shape != (2 * self.config.style_dim,):
            what = f"a style of shape {tuple(request.style.shape)}, expected ({2 * self.config.style_dim},)"
            raise ConfigError(what, where=where, fix="Take it from a voice of this model.")
        if request.speed not in SPEED:
            raise ConfigError(f"speed {request.speed:g}, expected {SPEED}", where=where)
