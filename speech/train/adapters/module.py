"""Training step of `adapt`: each batch has one language; an optimiser step has one batch per language."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from speech.chunking import ChunkSpec
from speech.data.batches import SpeechBatch
from speech.data.manifest import Utterance
from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import greedy
from speech.errors import TrainingError
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.owsm_ctc import OwsmCtc, OwsmCtcOutput
from speech.nn.encoder.base import Halfway
from speech.text.lines import lines_of
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.train.adapters.config import AdaptConfig
from speech.train.adapters.tuning import Scores, Tuning, number_of
from speech.train.asr.module import CtcModule
from speech.train.loop.callbacks import append_line
from speech.train.loop.optimizer import build_optimizer

SCORES = "scores.jsonl"
CHECKPOINTS = "checkpoints"
_CODES = 26**3


@dataclass(slots=True)
class _Sum:
    words: ErrorCounts = field(default_factory=ErrorCounts)
    characters: ErrorCounts = field(default_factory=ErrorCounts)
    loss: float = 0.0
    tokens: int = 0


class AdaptModule(CtcModule):
    """Trains a tuning of a model.

    Each validation scores every language on dev, records it in `scores.jsonl`, and saves the language's parameters in
    `checkpoints/STEP/`.

    Args:
        model: the base model.
        tuning: selects and holds the trained parameters.
        config: configuration of the run.
        tokenizers: code -> tokenizer of the language, including tokens that the base lacks.
        dev: dev utterances of all languages.
        output: folder of the run.
    """

    def __init__(
        self,
        model: OwsmCtc,
        tuning: Tuning,
        config: AdaptConfig,
        tokenizers: Mapping[str, Tokenizer],
        dev: Sequence[Utterance],
        output: Path,
    ) -> None:
        super().__init__(model, config)
        self.trained = tuning.trained
        self._tuning, self.tokenizers, self._output = tuning, tokenizers, output
        self._languages = config.languages
        self._dev = {utterance.id: utterance for utterance in dev}
        self._sums: dict[str, _Sum] = {}
        self._kept: dict[tuple[str | int, ...], Halfway] = {}

    def before_loss(self, batch: SpeechBatch) -> None:
        """Do nothing: the tuning has already frozen the layers below it."""

    def training_step(self, batch: SpeechBatch, index: int) -> Tensor:
        loss = super().training_step(batch, index)
        return loss if self._tuning.shared else loss * self.config.trainer.accumulate  # undoes Lightning's mean

    def number(self, batch: SpeechBatch, index: int) -> int:
        """Number of a batch, which seeds its random numbers; independent of the other languages in the run."""
        if self._tuning.shared:
            return super().number(batch, index)
        return self.global_step * _CODES + number_of(batch.codes[0])

    def hear(
        self,
        batch: SpeechBatch,
        features: Tensor,
        lengths: Tensor,
        chunk: ChunkSpec | None = None,
        offset: Tensor | int = 0,
    ) -> OwsmCtcOutput:
        code = batch.codes[0]
        tap = self._tuning.begin(code, len(batch))
        if self._tuning.below and chunk is None and not self.config.chunk.random_offset:
            found = self.model.onward(self._halfway(batch, features, lengths), intermediate=True, adapters=tap)
        else:
            found = self.model.encode(
                features, lengths, batch.prefix, chunk, offset=offset, intermediate=True, adapters=tap
            )
        head = self._tuning.head(code)
        log_probs = head(found.x)
        # Intermediate outputs have the base's tokens only, and the language is identified by the base alone.
        own = head.vocabulary > self.model.ctc.vocabulary
        return OwsmCtcOutput(log_probs, found.lengths, [] if own else found.intermediate, None)

    @torch.no_grad()
    def _halfway(self, batch: SpeechBatch, features: Tensor, lengths: Tensor) -> Halfway:
        """Output of the frozen lower layers for a batch; computed once, cached in half precision (50 KB per second)."""
        key = (*batch.ids, *batch.sample_lengths.tolist(), *batch.prefix.flatten().tolist())
        if key not in self._kept:
            half = self.model.until(self._tuning.below, features, lengths, batch.prefix)
            self._kept[key] = half._replace(x=half.x.half())
        half = self._kept[key]
        return half._replace(x=half.x.float())

    def clipped(self, optimizer: torch.optim.Optimizer) -> list[list[nn.Parameter]]:
        """Parameter groups for gradient clipping: each language separately if they share no parameters."""
        codes = self._languages[:1] if self._tuning.shared else self._languages
        return [self._tuning.parameters_of(code) for code in codes]

    def on_validation_epoch_start(self) -> None:
        self._sums = {}

    def validation_step(self, batch: SpeechBatch, index: int) -> None:
        features, lengths = self._features(batch)
        output = self.hear(batch, features, lengths)
        own = self._sums.setdefault(batch.codes[0], _Sum())
        loss = self.objective(batch, output)[1]["final"]
        count = int(batch.token_lengths.sum())
        own.loss, own.tokens = own.loss + float(loss) * count, own.tokens + count
        frames = CtcFrames(output.log_probs, output.lengths, self.model.frame_s)
        for row, spans in enumerate(greedy(frames)):
            utterance = self._dev[batch.ids[row]]
            said = self.tokenizers[utterance.language].decode([span.id for span in spans])
            words, characters = text_errors(utterance.text, said, utterance.languages)
            own.words += words
            own.characters += characters

    def on_validation_epoch_end(self) -> None:
        step = self.global_step
        found = {
            code: {
                "step": step,
                "dev_wer": round(own.words.rate, 5),
                "dev_cer": round(own.characters.rate, 5),
                "dev_loss": round(own.loss / max(own.tokens, 1), 5),
            }
            for code, own in self._sums.items()
        }
        for code, scores in found.items():
            if not all(math.isfinite(value) for value in scores.values()):
                raise TrainingError(f"{code} on dev is {scores}", where=f"step {step}", fix="Lower optimizer.lr.")
            self._tuning.save(self._output / CHECKPOINTS / f"{step:06d}", code, scores)
        append_line(self._output / SCORES, json.dumps({"step": step, "languages": found}, allow_nan=False))
        mean = sum(scores["dev_cer"] for scores in found.values()) / len(found)
        loss = sum(scores["dev_loss"] for scores in found.values()) / len(found)
        self.log_dict({"dev/cer": mean, "dev/final": loss}, batch_size=1)

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(self.trained, len(self.model.encoder.layers), self.config.optimizer)
        return self.scheduled(optimizer)


def read_scores(path: Path) -> dict[int, Mapping[str, Scores]]:
    """Read `scores.jsonl`: step -> code -> scores; for a step that was run twice, the later scores."""
    rows = [json.loads(line) for line in lines_of(path.read_bytes().decode("utf-8", "replace")) if line.endswith("}}}")]
    return {row["step"]: row["languages"] for row in rows}
