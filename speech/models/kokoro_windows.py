"""A Kokoro that speaks window by window, with voices whose statistics are known."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

from speech.models.kokoro import EDGE, Kokoro, KokoroRequest, KokoroSpeech
from speech.nn.cpu.instructions import bfloat16_runs
from speech.nn.cpu.packed import PackedLinear
from speech.nn.kokoro.albert import Albert
from speech.nn.kokoro.harmonic_source import NoiseRow
from speech.nn.kokoro.norm_statistics import NormStatistics
from speech.nn.kokoro.prosody import spread
from speech.nn.kokoro.row_prosody import CurveRow
from speech.nn.kokoro.windowed_decoder import DecoderInput, WindowedDecoder
from speech.nn.linears import with_layers

FIRST_FRAMES, MOST_FRAMES = 8, 40
"""Frames of the first window of what is wanted soon; each later one has twice as many, up to a maximum. Small windows
come sooner and cost more: a window computes 6 to 10 frames of its neighbours besides its own."""


class WindowedKokoro:
    """Says a text in windows that are always the same. Durations and curves of the whole text come first; they take a
    tenth of the time that samples do.

    Args:
        model: a Kokoro, whose parameters are shared, but for those of the decoder.
        bfloat16: whether convolutions and ALBERT compute in bfloat16; None: if the processor has instructions for it.
    """

    def __init__(self, model: Kokoro, *, bfloat16: bool | None = None) -> None:
        self._model = model
        on_cpu = model.device.type == "cpu"
        narrow = (on_cpu and bfloat16_runs()) if bfloat16 is None else bfloat16
        dtype = torch.bfloat16 if narrow else torch.float32
        self._albert = _narrow(model.albert) if narrow and on_cpu else model.albert
        self._decoder = WindowedDecoder(model.decoder, model.config.generator, dtype)
        self._pitch, self._energy = (CurveRow(curve, dtype) for curve in (model.prosody.pitch, model.prosody.energy))

    @torch.no_grad()
    def speak(self, request: KokoroRequest, statistics: NormStatistics, *, soon: bool = True) -> Iterator[KokoroSpeech]:
        """The windows of a text, each with the durations of all symbols; before them, two pieces without samples: once
        durations are known, and once curves are.

        Args:
            request: what is spoken.
            statistics: of the voice.
            soon: whether the first windows are small.

        Raises:
            ConfigError: as `Kokoro.speak`, before the first window.
        """
        model, config = self._model, self._model.config
        model.check(request, "request")
        symbols = torch.tensor([[EDGE, *request.ids, EDGE]], device=model.device)
        lengths = torch.tensor([symbols.shape[1]], device=model.device)
        styles = request.style.detach().float().to(model.device)[None]
        speeds = torch.tensor([request.speed], device=model.device)
        durations = model.durations(self._albert(symbols, lengths).float(), lengths, styles, speeds)
        counts, none = durations.frames[0].cpu(), torch.zeros(0)
        yield KokoroSpeech(none, counts)
        text = spread(model.text_encoder(symbols, lengths), durations.frames)[0]
        spoken, prosody = styles[0].split(config.style_dim)
        frames = model.prosody.shared(spread(durations.encoded, durations.frames), durations.frames.sum(dim=1))[0]
        noise = None if request.seed is None else NoiseRow(request.seed, len(text) * model.frame_samples)
        curves = self._pitch(frames, prosody), self._energy(frames, prosody)
        utterance = self._decoder.begin(DecoderInput(text, *curves, noise), spoken, statistics)
        yield KokoroSpeech(none, counts)
        for start, stop in windows(len(text), FIRST_FRAMES if soon else MOST_FRAMES):
            yield KokoroSpeech(utterance.samples(start, stop).float().cpu(), counts)


def windows(frames: int, first: int = FIRST_FRAMES) -> Iterator[tuple[int, int]]:
    """First frame of each window, and one behind its last.

    Args:
        frames: of the text.
        first: size of the first window.
    """
    start, size = 0, first
    while start < frames:
        stop = min(start + size, frames)
        yield start, stop
        start, size = stop, min(2 * size, MOST_FRAMES)


def _narrow(albert: Albert) -> Albert:
    """A copy in bfloat16, with packed matrices."""
    return with_layers(
        copy.deepcopy(albert).to(torch.bfloat16), {nn.Linear: partial(PackedLinear, dtype=torch.bfloat16)}
    )
