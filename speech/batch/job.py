"""What is to be done with each file, and a reader that does it: the same in every worker."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from speech.batch.ledger import hash_file, identify
from speech.batch.pool import Read
from speech.models.hub import locate
from speech.models.precision import Precision
from speech.recognizer import Recognizer
from speech.stream.offline import Cut, OfflineConfig
from speech.stream.second_pass import Request
from speech.transcript import Transcript


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Model and options; what they mean is said in `Recognizer.from_pretrained` and `transcribe`."""

    model: str
    language: str
    to: str | None = None
    device: str = "cpu"
    precision: Precision = Precision.auto
    beam: int | None = None
    language_model: Path | None = None
    conditioning_top: int | None = None
    cut: Cut = Cut.pauses

    def open(self) -> Recognizer:
        """Load the model."""
        return Recognizer.from_pretrained(
            self.model,
            device=self.device,
            precision=self.precision,
            config=OfflineConfig(cut=self.cut),
            beam=self.beam,
            language_model=self.language_model,
            conditioning_top=self.conditioning_top,
        )

    def identity(self, format: str) -> str:
        """One string for all that a result in `format` depends on beside its file."""
        options = {**dataclasses.asdict(self), "model": None, "device": None, "format": format}
        if self.language_model is not None:
            options["language_model"] = hash_file(self.language_model)
        return identify(locate(self.model), json.dumps(options, sort_keys=True))


def open_reader(job: Job, threads: int) -> Read:
    """For a worker that has so many threads.

    Raises:
        ModelError: if there is no such model.
        LanguageError: if it does not know the languages.
    """
    torch.set_num_threads(threads)
    recognizer = job.open()
    Request.parse(job.language, job.to).prefix(recognizer.tokenizer.vocabulary)
    return partial(_read, recognizer, job)


def _read(recognizer: Recognizer, job: Job, path: str) -> Transcript:
    return recognizer.transcribe(path, language=job.language, to=job.to)
