"""Evaluation of a model on utterances: error rates per language."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch.utils.data import DataLoader

from speech.data.batches import EvalBatches, SpeechBatch
from speech.data.manifest import Utterance
from speech.data.reading import Tally
from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import greedy
from speech.decode.words.language_id import language_posterior
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.owsm_ctc import OwsmCtc, OwsmCtcOutput
from speech.text.languages import resolve
from speech.text.normalize import NORMALIZER_VERSION, plain_text
from speech.text.tokenizers.sentencepiece import Tokenizer


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Scores of one language."""

    utterances: int
    errors: ErrorCounts
    """Errors that WER counts, in words or characters: see `speech.metrics.edit.error_rate.wer_unit`."""
    characters: ErrorCounts
    language_hits: int
    """Number of utterances with the language identified correctly."""


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores per language."""

    rows: dict[str, ScoreRow]

    @property
    def overall(self) -> float:
        """Error rate over all languages: total errors per total reference units."""
        return sum((row.errors for row in self.rows.values()), ErrorCounts()).rate

    def to_dict(self) -> dict[str, Any]:
        return {
            "normalizer": NORMALIZER_VERSION,
            "overall": _rounded(self.overall),
            "languages": {
                code: {
                    "utterances": row.utterances,
                    "wer": _rounded(row.errors.rate),
                    "cer": _rounded(row.characters.rate),
                    "lid": _rounded(row.language_hits / row.utterances),
                }
                for code, row in self.rows.items()
            },
        }

    def print(self, console: Console) -> None:
        table = Table(title="test", title_justify="left")
        for name in ("language", "utterances", "WER (CER where no spaces)", "CER", "language identified"):
            table.add_column(name, justify="left" if name == "language" else "right")
        for code, row in self.rows.items():
            table.add_row(
                resolve(code).name,
                str(row.utterances),
                f"{row.errors.rate:.3f}",
                f"{row.characters.rate:.3f}",
                f"{row.language_hits / row.utterances:.3f}",
            )
        hits = sum(row.language_hits for row in self.rows.values())
        count = sum(row.utterances for row in self.rows.values())
        characters = sum((row.characters for row in self.rows.values()), ErrorCounts())
        table.add_section()
        table.add_row("all", str(count), f"{self.overall:.3f}", f"{characters.rate:.3f}", f"{hits / count:.3f}")
        console.print(table)


def _rounded(rate: float) -> float | None:
    """Rate for JSON: rounded, None (null) if it is not finite."""
    return round(rate, 4) if math.isfinite(rate) else None


@torch.inference_mode()
def evaluate(
    model: OwsmCtc,
    tokenizer: Tokenizer,
    utterances: list[Utterance],
    *,
    language_given: bool = False,
    batch_s: float = 120.0,
    progress: bool = False,
    hear: Callable[[SpeechBatch], OwsmCtcOutput] | None = None,
    unreadable: Tally | None = None,
) -> ScoreTable:
    """Recognise `utterances` greedily and score each language; languages are sorted by number of utterances.

    Args:
        model: computes the features and, without `hear`, the output.
        tokenizer: tokenizer of the model.
        utterances: utterances with transcripts.
        language_given: give the language in the prefix.
        batch_s: maximum padded seconds in a batch.
        progress: show a progress bar.
        hear: replaces the model's forward pass on a batch.
        unreadable: counts utterances left out as unreadable; None: the first one is an error.

    Raises:
        DataError: if too many utterances cannot be read.
    """
    by_id = {utterance.id: utterance for utterance in utterances}
    counts: dict[str, list[Any]] = {}
    batches = EvalBatches(
        utterances, tokenizer, batch_s, plain_text, language_given=language_given, unreadable=unreadable
    )
    loader = DataLoader(batches, batch_size=None)
    for batch in track(loader, total=len(batches), description="scoring", disable=not progress, transient=True):
        if hear is not None:
            output = hear(batch)
        else:
            output = model(*model.features(batch.samples, batch.sample_lengths), batch.prefix)
        frames = CtcFrames(output.log_probs, output.lengths, model.frame_s)
        logits = output.language_logits
        heard = language_posterior(logits, output.lengths).argmax(dim=-1) if logits is not None else None
        for index, spans in enumerate(greedy(frames)):
            utterance = by_id[batch.ids[index]]
            hypothesis = tokenizer.decode([span.id for span in spans])
            row = counts.setdefault(utterance.language, [0, ErrorCounts(), ErrorCounts(), 0])
            row[0] += 1
            words, characters = text_errors(utterance.text, hypothesis, utterance.languages)
            row[1] += words
            row[2] += characters
            row[3] += heard is not None and int(heard[index]) == int(batch.languages[index])
    ordered = sorted(counts.items(), key=lambda item: -item[1][0])
    return ScoreTable({code: ScoreRow(*row) for code, row in ordered})
