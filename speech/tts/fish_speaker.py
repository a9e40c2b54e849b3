"""Says texts with an imported Fish-Speech 1.4 or 1.5: letters to samples, in the voice of a recording.

speaker = FishSpeaker(load_fish_checkpoint(Path("models/fish")))
voice = speaker.voice(samples, "What is said in them.")
samples = speaker.say("Good morning.", voice=voice, seed=1)
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from speech.decode.sampling.fish_sampler import FishSampler
from speech.decode.sampling.sampler import SamplingConfig, choose
from speech.errors import TextError
from speech.models.base import SpeechPrompt
from speech.models.fish_checkpoint import FishCheckpoint
from speech.models.fish_prompt import FishTurn, fish_prompt
from speech.text.fish_text import cleaned, turns

_FIRST_FRAMES, _MOST_FRAMES = 4, 64
"""Frames behind which the first samples come; each further piece has twice as many, up to the most."""

_log = logging.getLogger(__name__)


class FishSpeaker:
    """Says texts; keeps nothing of a text for the next.

    Args:
        checkpoint: a loaded Fish-Speech.
    """

    def __init__(self, checkpoint: FishCheckpoint) -> None:
        self._model, self._tokenizer, self._codec = checkpoint.model, checkpoint.tokenizer, checkpoint.codec
        self.sample_rate = checkpoint.codec.sample_rate
        self.licence = str(checkpoint.info.get("licence"))

    def voice(self, samples: np.ndarray, text: str) -> FishTurn:
        """A voice to imitate: some seconds of speech and what is said in them.

        Args:
            samples: `(n,)` float32 at `sample_rate`.
            text: what is said.

        Raises:
            AudioError: if there are too few samples.
            TextError: if there is no text.
        """
        said = cleaned(text, self._tokenizer.version)
        if not said.strip():
            raise TextError("the text of the voice is empty", fix="Give what is said in the recording.")
        audio = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None].to(self._codec.device)
        codes, _ = self._codec.encode(audio, torch.tensor([len(samples)], device=audio.device))
        return FishTurn(said, codes[0].cpu())

    def say(self, text: str, *, voice: FishTurn | None = None, seed: int = 0) -> np.ndarray:
        """Samples `(n,)` float32 of a text; errors as `stream`."""
        return np.concatenate(list(self.stream(text, voice=voice, sampling=SamplingConfig(seed=seed))))

    def stream(
        self, text: str, *, voice: FishTurn | None = None, sampling: SamplingConfig | None = None
    ) -> Iterator[np.ndarray]:
        """Samples of a text, piece by piece. A long text is said in turns, each of which reads what was said before.

        Args:
            text: as written; numbers are read as the model has learned.
            voice: to imitate; None: any voice.
            sampling: rules and seed; None: those of the published server, seed 0.

        Raises:
            TextError: if there is nothing to say, or a text has a mark of the model in it.
            ConfigError: if text and voice are too long.
        """
        parts, config = turns(text, self._tokenizer.version), sampling or SamplingConfig()
        if not parts:
            raise TextError("nothing in the text can be spoken", fix="Give some words.")
        for part in parts:
            self._tokenizer.asked(part)  # refuses marks before anything is said
        return self._said(parts, [] if voice is None else [voice], config)

    def _said(self, parts: list[str], voices: list[FishTurn], config: SamplingConfig) -> Iterator[np.ndarray]:
        earlier: list[FishTurn] = []
        seeds = np.random.SeedSequence(config.seed).generate_state(len(parts))
        for part, seed in zip(parts, seeds.tolist(), strict=True):
            prompt = fish_prompt(self._tokenizer, self._codec.codebooks, part, voices=voices, earlier=earlier)
            state, codes, waiting, size = self._codec.init_decoder(1), list[Tensor](), list[Tensor](), _FIRST_FRAMES
            for frame in self._frames(prompt, dataclasses.replace(config, seed=seed)):
                waiting.append(frame)
                if len(waiting) == size:
                    samples, state = self._codec.decode_step(torch.stack(waiting, dim=1)[None], state)
                    codes += waiting
                    waiting, size = [], min(2 * size, _MOST_FRAMES)
                    yield samples[0].cpu().numpy()
            if waiting:
                samples, state = self._codec.decode_step(torch.stack(waiting, dim=1)[None], state)
                yield samples[0].cpu().numpy()
            codes += waiting
            if codes:
                earlier.append(FishTurn(part, torch.stack(codes, dim=1).cpu()))

    def _frames(self, prompt: SpeechPrompt, config: SamplingConfig) -> Iterator[Tensor]:
        """Codes `(codebooks,)` of the codec, frame by frame, up to the end that the model writes."""
        sampler = FishSampler(config, self._tokenizer.frame_token)
        state = self._model.begin([prompt])
        for _ in range(self._model.max_frames):
            codes, ended, state = self._model.step(state, partial(choose, [sampler]))
            if bool(ended):
                return
            yield (codes[0] - self._tokenizer.code_offset).clamp(0, self._codec.codebook_size - 1)
        _log.warning("a turn did not end within %d frames", self._model.max_frames)
