"""A Kokoro that speaks window by window, with voices whose statistics are known."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from speech.models.kokoro import EDGE, Kokoro, KokoroRequest, KokoroSpeech
from speech.nn.cpu.instructions import bfloat16_runs
from speech.nn.kokoro.harmonic_source import NoiseRow
from speech.nn.kokoro.norm_statistics import LengthStatistics
from speech.nn.kokoro.row_albert import AlbertRow
from speech.nn.kokoro.row_layers import LstmRow
from speech.nn.kokoro.row_prosody import CurveRow, DurationRow
from speech.nn.kokoro.row_text_encoder import SymbolRow
from speech.nn.kokoro.windowed_decoder import DecoderInput, WindowedDecoder

FIRST_FRAMES, MOST_FRAMES = 8, 40
"""Frames of the first window of what is wanted soon; each later one has twice as many, up to a maximum. Small windows
come sooner and cost more: a window computes 6 to 10 frames of its neighbours besides its own."""
EARLY_FRAMES = 6
"""Frames before the first symbol that are computed where the first window is wanted soon. Sounds begin up to 120 ms
before the symbols that they are counted for; what lies more than 150 ms ahead is silence."""


class WindowedKokoro:
    """Says a text in windows that are always the same. Durations and curves of the whole text come first; they take a
    tenth of the time that samples do.

    Args:
        model: a Kokoro; parameters of its convolutions, LSTMs and ALBERT are copied, all others shared.
        bfloat16: whether most layers compute in bfloat16; None: if the processor has instructions for it.
    """

    def __init__(self, model: Kokoro, *, bfloat16: bool | None = None) -> None:
        self._model = model
        narrow = (model.device.type == "cpu" and bfloat16_runs()) if bfloat16 is None else bfloat16
        dtype = torch.bfloat16 if narrow else torch.float32
        self._albert, self._text = AlbertRow(model.albert, dtype), SymbolRow(model.text_encoder, dtype)
        self._durations, self._shared = DurationRow(model.prosody, dtype), LstmRow(model.prosody.shared, dtype)
        self._pitch, self._energy = (CurveRow(curve, dtype) for curve in (model.prosody.pitch, model.prosody.energy))
        self._decoder = WindowedDecoder(model.decoder, model.config.generator, dtype)

    @torch.no_grad()
    def speak(
        self, request: KokoroRequest, statistics: LengthStatistics, *, soon: bool = True
    ) -> Iterator[KokoroSpeech]:
        """The windows of a text, each with the durations of all symbols; before them, two pieces without samples: once
        durations are known, and once curves are.

        Args:
            request: what is spoken.
            statistics: of the voice.
            soon: whether the first windows are small, and silence before the first symbol is zero, not computed.

        Raises:
            ConfigError: as `Kokoro.speak`, before the first window.
        """
        model, config = self._model, self._model.config
        model.check(request, "request")
        symbols = torch.tensor([EDGE, *request.ids, EDGE], device=model.device)
        spoken, prosody = request.style.detach().float().to(model.device).split(config.style_dim)
        durations = self._durations(model.projection(self._albert(symbols)), prosody, request.speed)
        counts, none = durations.frames.cpu(), torch.zeros(0)
        yield KokoroSpeech(none, counts)
        text, encoded = (
            rows.repeat_interleave(durations.frames, dim=0) for rows in (self._text(symbols), durations.encoded)
        )
        frames = self._shared(encoded)
        noise = None if request.seed is None else NoiseRow(request.seed, len(text) * model.frame_samples)
        curves = self._pitch(frames, prosody), self._energy(frames, prosody)
        utterance = self._decoder.begin(DecoderInput(text, *curves, noise), spoken, statistics.of(len(text)))
        yield KokoroSpeech(none, counts)
        begin = max(int(counts[0]) - EARLY_FRAMES, 0) if soon else 0
        for start, stop in windows(len(text), FIRST_FRAMES if soon else MOST_FRAMES, begin):
            samples = utterance.samples(start, stop).float().cpu()
            silent = torch.zeros(begin * model.frame_samples if start == begin else 0)
            yield KokoroSpeech(torch.cat([silent, samples]), counts)


def windows(frames: int, first: int = FIRST_FRAMES, begin: int = 0) -> Iterator[tuple[int, int]]:
    """First frame of each window, and one behind its last.

    Args:
        frames: of the text.
        first: size of the first window.
        begin: where that begins, below `frames`.
    """
    start, size = begin, first
    while start < frames:
        stop = min(start + size, frames)
        yield start, stop
        start, size = stop, min(2 * size, MOST_FRAMES)
