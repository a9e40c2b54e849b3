"""Loads a checkpoint of any kind as a `PartReader`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from speech.errors import ConfigError
from speech.models.adapters.file import load_bank
from speech.models.checkpoint import kind_of, load_checkpoint, load_label_checkpoint
from speech.models.hybrid import KIND as HYBRID
from speech.models.hybrid import load_hybrid
from speech.models.policy_file import policy_beside
from speech.models.precision import Precision, with_precision
from speech.models.storage import LABEL, WHISPER
from speech.recognize.decoders import check_search, open_decoder
from speech.recognize.full_context import FullContextPass
from speech.recognize.label_only import LabelReader, without_ctc
from speech.recognize.label_pass import LabelPass
from speech.recognize.part_reader import PartReader
from speech.recognize.toxicity_guard import ToxicityGuard
from speech.translate.toxicity import ToxicWords


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadOptions:
    """How to use a checkpoint; see `Recognizer.from_pretrained`."""

    precision: Precision = Precision.auto
    alone: bool | None = None
    """See `FullContextPass`."""
    beam: int | None = None
    language_model: str | Path | None = None
    conditioning_top: int | None = None
    graph: str | Path | None = None
    adapters: str | Path | None = None
    measured_targets: bool = True
    toxic_words: ToxicWords | None = None
    text_targets: Sequence[str] = ()
    """Languages that a text translator behind the model translates into."""

    def __post_init__(self) -> None:
        check_search(self.beam, self.language_model, self.graph)


def load_reader(folder: Path, place: torch.device, options: LoadOptions) -> PartReader:
    """Load a checkpoint with its adapters, and the translation policy beside its label model.

    Args:
        folder: the checkpoint.
        place: device of the model.
        options: how to use it.

    Raises:
        ModelError: if the checkpoint is missing or damaged, or an adapter or a policy is damaged or made for another
            model.
        ConfigError: if an option does not apply to the checkpoint.
    """
    kind = kind_of(folder)
    return _label_only(folder, place, options) if kind == WHISPER else _by_ctc(folder, place, options, kind)


def _check_lists(words: ToxicWords, targets: Sequence[str]) -> None:
    """Check that a text translator can use lists of toxic words where no label decoder does."""
    if not targets:
        fix = "Use a hybrid or a Whisper, without a graph, or a text translator."
        raise ConfigError("toxic words: no label decoder translates", fix=fix)
    if words.languages.isdisjoint(targets):
        text = "toxic words without a list of a language that the text translator translates into"
        raise ConfigError(text, fix=f"Add {targets[0]}.txt.")


def _label_only(folder: Path, place: torch.device, options: LoadOptions) -> LabelReader:
    given = {
        "a language model": options.language_model,
        "a graph": options.graph,
        "adapters": options.adapters,
        "conditioning": options.conditioning_top,
    }
    for what, value in given.items():
        if value is not None:
            raise without_ctc(what)
    found = load_label_checkpoint(folder, device=place, as_stored=place.type == "cpu")
    targets = found.targets if options.measured_targets else None
    guard = ToxicityGuard.of(options.toxic_words, found.tokenizer)
    if options.toxic_words is not None and guard is None:
        _check_lists(options.toxic_words, options.text_targets)
    model = with_precision(found.model, options.precision)
    reader = LabelReader(model, found.tokenizer, targets, beam=options.beam, guard=guard)
    reader.drafts.policy = policy_beside(folder, found.model.config.decoder, place)
    return reader


def _by_ctc(folder: Path, place: torch.device, options: LoadOptions, kind: str) -> FullContextPass:
    stored = place.type == "cpu"
    joint = kind == HYBRID and options.graph is None  # a graph restricts the text, so the label decoder is not used
    hybrid = load_hybrid(folder, device=place, as_stored=stored) if joint else None
    found = load_checkpoint(folder, device=place, as_stored=stored) if hybrid is None else hybrid.ctc
    decode = open_decoder(
        folder, found.tokenizer, beam=options.beam, language_model=options.language_model, graph=options.graph
    )
    model = with_precision(found.model, options.precision, conditioning_top=options.conditioning_top)
    targets = found.targets if options.measured_targets else None
    label = None
    if hybrid is not None:
        label = LabelPass(
            with_precision(hybrid.label.model, options.precision),
            hybrid.label.tokenizer,
            hybrid.joint,
            shared_layers=hybrid.shared_layers,
            guard=ToxicityGuard.of(options.toxic_words, hybrid.label.tokenizer),
        )
        label.drafts.policy = policy_beside(folder / LABEL, hybrid.label.model.config.decoder, place)
    elif options.toxic_words is not None:
        _check_lists(options.toxic_words, options.text_targets)
    reader = FullContextPass(model, found.tokenizer, decode, targets, alone=options.alone, label=label)
    reader.adapters = load_bank(folder, None if options.adapters is None else Path(options.adapters))
    return reader
