"""A checkpoint is a directory: `model.safetensors`, `config.json`, `tokenizer.model`, `README.md` (the model card).

Beside them may lie `lm.safetensors`, an n-gram model of the same tokens (`speech.decode.token_ngram`), and
`lexicon.safetensors`, words (`speech.decode.lexicon`); `adapters/` holds one file for each language that has an adapter
(`speech.models.adapter_file`).

It carries data only. `kind` is looked up in a closed table of imported classes; unknown keys are refused.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from speech.choices import Storage as Storage
from speech.errors import ConfigError, FileError, ModelError
from speech.files import check_writable, printable, read_text, reason
from speech.models.owsm_ctc import FrontEnd, OwsmCtc, OwsmCtcConfig
from speech.models.targets import KEY, Targets, read_targets, to_record
from speech.nn.e_branchformer import EBranchformerConfig
from speech.nn.encoder import EncoderConfig
from speech.nn.linears import quantized
from speech.nn.prompt import PromptConfig
from speech.nn.whisper_encoder import WhisperEncoderConfig
from speech.tensors import check_finite, load_tensors, save_tensors
from speech.text.tokenizer import Tokenizer
from speech.text.tokens import Vocabulary

FORMAT = 1
LANGUAGE_MODEL = "lm.safetensors"
LEXICON = "lexicon.safetensors"
_ENCODERS: dict[str, type[EncoderConfig]] = {"whisper": WhisperEncoderConfig, "e_branchformer": EBranchformerConfig}
_SCALE = ".scale"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that is ready to use, and what belongs to it."""

    model: OwsmCtc
    tokenizer: Tokenizer
    info: dict[str, Any]
    """What training recorded: languages heard, chunk sizes, seeds, scores."""
    targets: Targets = field(default_factory=dict)
    """That it translates into, with what was measured."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A checkpoint without its weights."""

    config: OwsmCtcConfig
    tokenizer: Tokenizer
    info: dict[str, Any]
    targets: Targets = field(default_factory=dict)

    def empty(self) -> OwsmCtc:
        """The model without numbers: what it consists of, and how large that is."""
        return build_empty(self.config, self.tokenizer.vocabulary)


def save_checkpoint(
    directory: Path,
    model: OwsmCtc,
    tokenizer: Tokenizer,
    *,
    info: dict[str, Any],
    card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
    targets: Targets | None = None,
) -> None:
    """Write a checkpoint; the directory appears whole or not at all. An older one at that place is replaced.

    Args:
        directory: where.
        model: its parameters and configuration.
        tokenizer: of the model.
        info: anything that JSON can hold, kept in `config.json`.
        card: Markdown, `README.md`.
        storage: precision on disk.
        attached: name in the directory -> file that is copied there, such as the record of the training.
        targets: that it translates into, with what was measured.

    Raises:
        FileError: if the system refuses.
        ModelError: if a parameter is not finite, also where it is too large for `storage`.
    """
    state = model.state_dict()
    check_finite(state, printable(directory), "It has not been written.")
    check_writable(directory.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        save_tensors(temporary / "model.safetensors", _pack(state, storage), {"format": "pt"})
        record = {
            "format": FORMAT,
            "kind": "owsm_ctc",
            "model": config_to_dict(model.config),
            "languages": list(model.vocabulary.languages),
            "st_targets": list(model.vocabulary.st_targets),
            KEY: to_record(targets or {}),
            "sos_eos": model.vocabulary.sos_eos,
            "info": info,
        }
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        (temporary / "config.json").write_text(text + "\n", "utf-8")
        (temporary / "README.md").write_text(card, "utf-8")
        tokenizer.save(temporary / "tokenizer.model")
        for name, source in (attached or {}).items():
            shutil.copyfile(source, temporary / name)
        temporary.chmod(0o755)
        for file in temporary.iterdir():
            file.chmod(0o644)
        if directory.exists():
            older = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
            directory.rename(older / directory.name)
            temporary.rename(directory)
            shutil.rmtree(older, ignore_errors=True)
        else:
            temporary.rename(directory)
    except OSError as error:
        raise FileError(f"cannot be written: {reason(error)}", where=printable(directory)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_checkpoint(directory: Path, *, device: str | torch.device = "cpu", as_stored: bool = False) -> Checkpoint:
    """Read a checkpoint; the model is in evaluation mode and float32.

    Args:
        directory: of the checkpoint.
        device: of the model.
        as_stored: leave the weights of linear layers in the numbers in which they lie on disk, in eight bits as
            quantised tensors, for `with_precision` to make of them what it needs: the rest of the file is not read
            before, and nothing is held twice.

    Raises:
        ModelError: naming the file, and the key where there is one, if anything is missing, unknown or does not fit, or
            a number is not finite.
    """
    outline = load_outline(directory)
    model = outline.empty()
    where = str(directory / "model.safetensors")
    linear = {f"{name}.weight" for name, module in model.named_modules() if type(module) is nn.Linear}
    stored = load_tensors(directory / "model.safetensors")  # as it lies on disk: in eight bits hardly anything to check
    tensors = _unpack(stored, linear if as_stored else set(), where)
    wanted = model.state_dict()
    wrong = sorted(wanted.keys() ^ tensors.keys())
    wrong += sorted(k for k in wanted.keys() & tensors.keys() if wanted[k].shape != tensors[k].shape)
    if wrong:
        raise ModelError(f"{len(wrong)} tensors are missing, unknown or of another size: {wrong[:4]}", where=where)
    model.requires_grad_(not as_stored)  # quantised tensors have no gradients
    model.load_state_dict(tensors, assign=True)
    return Checkpoint(model.to(device).eval(), outline.tokenizer, outline.info, outline.targets)


def load_outline(directory: Path) -> Outline:
    """What a checkpoint is, without reading its weights.

    Raises:
        ModelError: naming the file, if anything but the weights is missing, unknown or does not fit.
    """
    for name in ("model.safetensors", "config.json", "tokenizer.model"):
        if not (directory / name).is_file():
            raise ModelError(f"has no {name}", where=str(directory), fix="A checkpoint is a directory with that file.")
    where = str(directory / "config.json")
    try:
        record = json.loads(read_text(directory / "config.json"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"is not JSON: {error}", where=where) from error
    if not isinstance(record, dict):
        raise ModelError(f"is a JSON {type(record).__name__}, expected an object", where=where)
    if record.get("format") != FORMAT or record.get("kind") != "owsm_ctc":
        raise ModelError(
            f"format {record.get('format')}, kind {record.get('kind')!r}; expected {FORMAT}, 'owsm_ctc'", where=where
        )
    missing = [key for key in ("model", "languages", "st_targets", "sos_eos", "info") if key not in record]
    if missing:
        raise ModelError(f"has no {', '.join(missing)}", where=where)
    config = config_from_dict(record["model"], where)
    model_bytes = (directory / "tokenizer.model").read_bytes()
    tokenizer = Tokenizer.from_pieces(
        model_bytes, languages=record["languages"], st_targets=record["st_targets"], sos_eos=record["sos_eos"]
    )
    return Outline(config, tokenizer, record["info"], read_targets(record, where))


def build_empty(config: OwsmCtcConfig, vocabulary: Vocabulary) -> OwsmCtc:
    """A model whose parameters take no memory and no time; constant tables are real."""
    with torch.device("meta"), _Uninitialised():
        return OwsmCtc(config, vocabulary)


class _Uninitialised(TorchFunctionMode):
    """Leaves out `torch.nn.init`, which on the meta device takes seconds of imports."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def config_to_dict(config: OwsmCtcConfig) -> dict[str, Any]:
    """Plain data of a configuration, the encoder's class as `kind`."""
    record = dataclasses.asdict(config)
    kinds = {cls: kind for kind, cls in _ENCODERS.items()}
    record["encoder"] = {"kind": kinds[type(config.encoder)], **record["encoder"]}
    return record


def config_from_dict(record: dict[str, Any], where: str) -> OwsmCtcConfig:
    """The inverse of `config_to_dict`. Raises ModelError for unknown keys, and for numbers that are out of range."""
    try:
        encoder = dict(record["encoder"])
        kind = encoder.pop("kind")
        prompt = record["prompt"]
        values = {
            **record,
            "encoder": _ENCODERS[kind](**encoder),
            "prompt": PromptConfig(**prompt) if prompt is not None else None,
            "front_end": FrontEnd(record["front_end"]),
        }
        return OwsmCtcConfig(**values)
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise ModelError(f"has a wrong or missing key: {error}", where=where) from error


def _pack(tensors: dict[str, Tensor], storage: Storage) -> dict[str, Tensor]:
    packed: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        value = tensor.detach().float().cpu()
        if value.dim() < 2 or storage == Storage.float32:
            packed[key] = value.contiguous().clone()
        elif storage == Storage.float16:
            packed[key] = value.half()
        else:
            rows = value.flatten(1)
            scale = (rows.abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-12)
            packed[key] = torch.round(rows / scale).to(torch.int8).view(value.shape)
            packed[key + _SCALE] = scale.flatten()
    return packed


def _unpack(tensors: dict[str, Tensor], as_stored: Collection[str], where: str) -> dict[str, Tensor]:
    scales = {key.removesuffix(_SCALE): tensors.pop(key) for key in [k for k in tensors if k.endswith(_SCALE)]}
    for name, scale in scales.items():
        if name not in tensors or scale.shape != tensors[name].shape[:1]:
            raise ModelError(f"{name}{_SCALE} does not fit", where=where)
        if name in as_stored:
            tensors[name] = quantized(tensors[name], scale)
        else:
            value = tensors[name].float()
            tensors[name] = value * scale.view(-1, *[1] * (value.dim() - 1))
    return {key: tensor if key in as_stored else tensor.float() for key, tensor in tensors.items()}
