"""The job that every worker runs on each file, and its reader."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from speech.batch.ledger import hash_file, identify
from speech.batch.pool import Read
from speech.decode.bias.phrases import Phrase
from speech.errors import ConfigError
from speech.models.adapters.file import FOLDER
from speech.models.devices import check_device, parse_device
from speech.models.hub import locate
from speech.models.precision import Precision
from speech.recognize.offline import Cut, OfflineConfig
from speech.recognize.request import Request
from speech.recognize.text_translators import open_translator
from speech.recognizer import Recognizer
from speech.transcript import Transcript
from speech.translate.text.directions import NamedTranslator

_LATER: Mapping[str, object] = {
    "channel": None, "track": None, "plain": False, "nbest": 1, "toxic_words": None, "translator": None,
    "translator_model": None,
}  # fmt: skip
"""Options with their defaults that are left out of identities: ledgers that predate these options stay valid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Model and options; see `Recognizer.from_pretrained` and `transcribe` for their meaning."""

    model: str
    language: str
    to: str | None = None
    device: str = "cpu"
    """Device of each worker; "cuda" may be a different GPU for each."""
    precision: Precision = Precision.auto
    beam: int | None = None
    language_model: Path | None = None
    conditioning_top: int | None = None
    cut: Cut = Cut.pauses
    phrases: tuple[Phrase, ...] = ()
    plain: bool = False
    nbest: int = 1
    graph: Path | None = None
    adapters: Path | None = None
    channel: int | None = None
    track: int | None = None
    toxic_words: Path | None = None
    translator: str | None = None
    """See `open_translator`."""
    translator_model: str | None = None

    @property
    def request(self) -> Request:
        """The request for each file. Raises LanguageError if a language is unknown, or ConfigError."""
        return Request.parse(self.language, self.to, self.phrases, plain=self.plain, nbest=self.nbest)

    @property
    def places(self) -> list[str]:
        """Devices that local workers are assigned to round-robin: all GPUs, unless one is named.

        Raises:
            ConfigError: if the device is not available.
        """
        device = check_device(self.device)
        if device.type == "cpu" or device.index is not None:
            return [str(device)]
        return [f"{device.type}:{number}" for number in range(torch.get_device_module(device.type).device_count())]

    @property
    def gpus(self) -> int:
        """GPUs per worker on a cluster; this machine need not have any.

        Raises:
            ConfigError: if there is no such device, or it has an index: the cluster assigns GPUs itself.
        """
        device = parse_device(self.device)
        if device.type != "cpu" and device.index is not None:
            raise ConfigError(f"device {device} on a cluster, which hands out GPUs itself", fix=f"Give {device.type}.")
        return int(device.type in ("cuda", "xpu"))

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
            graph=self.graph,
            adapters=self.adapters,
            toxic_words=self.toxic_words,
            translator=None if self.translator is None else open_translator(self.translator, self.translator_model),
        )

    def identity(self, format: str) -> str:
        """Hash of everything that a result in `format` depends on, except the audio file.

        Raises:
            ConfigError: if the language model, the graph or the adapter folder does not exist.
        """
        options = {**dataclasses.asdict(self), "model": None, "device": None, "format": format}
        for name, usual in _LATER.items():
            if options[name] == usual:
                del options[name]
        for name in ("language_model", "graph"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise ConfigError("there is no such file", where=str(path))
            options[name] = None if path is None else hash_file(path)
        model = locate(self.model)
        if self.adapters is not None and not self.adapters.is_dir():
            raise ConfigError("is not a folder of adapters", where=str(self.adapters), fix="Give an existing folder.")
        adapters = model / FOLDER if self.adapters is None else self.adapters
        options["adapters"] = {path.name: hash_file(path) for path in adapters.glob("*.safetensors")}
        if self.toxic_words is not None:
            options["toxic_words"] = {path.name: hash_file(path) for path in self.toxic_words.glob("*.txt")}
        if self.translator is not None:
            named = NamedTranslator.parse(self.translator)
            weights = None if named.is_endpoint else locate(named.name) / "model.bin"
            if weights is not None and weights.is_file():
                options["translator"] = [hash_file(weights), str(named.directions)]
        return identify(model, json.dumps(options, sort_keys=True))


def open_reader(job: Job, threads: int) -> Read:
    """Load the model in a worker with this many threads and return its reader.

    Raises:
        ModelError: if the model does not exist.
        LanguageError: if the model does not support the languages.
        ConfigError: if the model cannot write a phrase.
    """
    torch.set_num_threads(threads)
    recognizer = job.open()
    recognizer.check(job.request)
    return partial(_read, recognizer, job)


def _read(recognizer: Recognizer, job: Job, path: str) -> Transcript:
    return recognizer.transcribe(
        path, language=job.language, to=job.to, phrases=job.phrases, plain=job.plain, nbest=job.nbest,
        channel=job.channel, track=job.track,
    )  # fmt: skip
