"""Checkpoint files: the `config.json` record, and weights in reduced precision."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from speech.choices import Storage
from speech.errors import ModelError
from speech.files import printable, read_text
from speech.models.compact import SCALE, SHAPE, STEP, compacted, expanded
from speech.nn.linears import quantized
from speech.nn.tied_embedding import TiedEmbedding
from speech.tensors import check_finite, load_tensors, save_tensors

FORMAT = 1
RECORD = "config.json"
LABEL = "label"
"""Folder of the label model in a hybrid checkpoint."""
WHISPER = "whisper"
"""Checkpoint kind of a label model alone."""
CODEC = "codec"
"""Checkpoint kind of an audio codec."""
DUAL_AR = "dual_ar"
"""Checkpoint kind of a speech language model."""
ALIGNED_AR = "aligned_ar"
"""Checkpoint kind of an aligned speech language model."""
KOKORO = "kokoro"
"""Checkpoint kind of a Kokoro, which speaks phonetic symbols."""
WATERMARK = "watermark"
"""Checkpoint kind of an audio watermark."""
PRONUNCIATION = "pronunciation"
"""Checkpoint kind of a pronunciation model."""
FISH = "fish"
"""Checkpoint kind of a Fish-Speech 1.4 or 1.5."""
FIREFLY = "firefly"
"""Checkpoint kind of its codec."""
_ADVICE = {
    WHISPER: "It has no CTC: use a CTC or hybrid model.",
    CODEC: "It is a codec: use a model that recognises speech.",
    DUAL_AR: "It speaks: use a model that recognises speech.",
    ALIGNED_AR: "It speaks: use a model that recognises speech.",
    KOKORO: "It speaks: use a model that recognises speech.",
    WATERMARK: "It is a watermark: use a model that recognises speech.",
    PRONUNCIATION: "It knows how words are pronounced: use a model that recognises speech.",
    FISH: "It speaks: use a model that recognises speech.",
    FIREFLY: "It is a codec: use a model that recognises speech.",
}
"""Kind of a checkpoint -> what to do where a CTC model is expected."""
_KEPT = (nn.Linear, TiedEmbedding)
"""Layers whose weights may keep their stored precision."""


def write_record(
    folder: Path, kind: str, record: Mapping[str, Any], card: str, attached: Mapping[str, Path] | None = None
) -> None:
    """Write `config.json`, the model card as `README.md`, and copies of the files `attached` by name."""
    whole = {"format": FORMAT, "kind": kind, **record}
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / RECORD).write_text(text + "\n", "utf-8")
    (folder / "README.md").write_text(card, "utf-8")
    for name, source in (attached or {}).items():
        shutil.copyfile(source, folder / name)


def read_record(directory: Path, kinds: Collection[str], files: Collection[str], keys: Collection[str]) -> Any:
    """Read and validate `config.json`; the kind comes first, because other kinds have other files.

    Args:
        directory: the checkpoint.
        kinds: allowed kinds.
        files: required files beside `config.json`.
        keys: required keys of the record.

    Raises:
        ModelError: naming what is missing, or if the kind is not allowed.
    """
    _check_files(directory, [RECORD])
    where = str(directory / RECORD)
    try:
        record = json.loads(read_text(directory / RECORD))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"is not JSON: {error}", where=where) from error
    if not isinstance(record, dict):
        raise ModelError(f"is a JSON {type(record).__name__}, expected an object", where=where)
    if record.get("format") != FORMAT or record.get("kind") not in kinds:
        expected = f"{FORMAT}, {' or '.join(map(repr, kinds))}"
        raise ModelError(
            f"format {record.get('format')}, kind {record.get('kind')!r}; expected {expected}",
            where=where,
            fix=_fix(record.get("kind"), kinds),
        )
    _check_files(directory, files)
    missing = [key for key in keys if key not in record]
    if missing:
        raise ModelError(f"has no {', '.join(missing)}", where=where)
    return record


def _check_files(directory: Path, names: Collection[str]) -> None:
    for name in names:
        if not (directory / name).is_file():
            raise ModelError(f"has no {name}", where=str(directory), fix="A checkpoint is a directory with that file.")


def _fix(kind: Any, kinds: Collection[str]) -> str | None:
    """What to do about a checkpoint of another kind than the allowed `kinds`."""
    if CODEC in kinds:
        return "Use a codec."
    if DUAL_AR in kinds:
        return "Use a speech language model."
    if KOKORO in kinds:
        return "Use a Kokoro."
    if WATERMARK in kinds:
        return "Use a watermark."
    if PRONUNCIATION in kinds:
        return "Use a pronunciation model."
    if FISH in kinds:
        return "Use an imported Fish-Speech."
    if FIREFLY in kinds:
        return "Use the codec of an imported Fish-Speech."
    return _ADVICE.get(kind) if isinstance(kind, str) else None


@dataclass(frozen=True, slots=True)
class SharedTensors:
    """Tensors of a model that are stored in another model's file."""

    file: str = ""
    """Path relative to the checkpoint directory."""
    names: tuple[str, ...] = ()
    """Prefixes of their names, which are the same in both models."""

    def holds(self, name: str) -> bool:
        """Whether a tensor is shared."""
        return name.startswith(self.names)


def save_weights(
    folder: Path,
    files: Mapping[str, str],
    model: nn.Module,
    storage: Storage,
    where: Path,
    borrowed: SharedTensors = SharedTensors(),
    steps: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Write parameters and buffers.

    Args:
        folder: target folder.
        files: file name -> prefix of the tensors in it.
        model: model to save.
        storage: precision, see `packed`.
        where: name of the folder in errors.
        borrowed: tensors to skip.
        steps: see `packed`.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a number is not finite, or too large for `storage`.
    """
    state = {name: tensor for name, tensor in model.state_dict().items() if not borrowed.holds(name)}
    check_finite(state, printable(where), "It has not been written.")
    for name, prefix in files.items():
        own = {key: tensor for key, tensor in state.items() if key.startswith(prefix)}
        save_tensors(folder / name, packed(own, storage, steps), {"format": "pt"})


def load_weights(
    model: nn.Module,
    directory: Path,
    files: Mapping[str, str],
    *,
    as_stored: bool,
    borrowed: SharedTensors = SharedTensors(),
) -> None:
    """Load weights into a model built without memory.

    Args:
        model: model to fill; set to evaluation mode.
        directory: the checkpoint.
        files: as for `save_weights`.
        as_stored: keep weights of linear layers and tied embeddings in their precision on disk (int8 as quantized
            tensors, without gradients); all else, and what is compact, is float32.
        borrowed: tensors stored in another model's file.

    Raises:
        ModelError: naming file and key, if a tensor is missing, unknown or of another size, or a number is not
            finite.
    """
    kept = {f"{name}.weight" for name, module in model.named_modules() if as_stored and type(module) in _KEPT}
    state, tensors = model.state_dict(), dict[str, Tensor]()
    own = {key: tensor for key, tensor in state.items() if not borrowed.holds(key)}
    wanted_of = {name: {k: t for k, t in own.items() if k.startswith(prefix)} for name, prefix in files.items()}
    if borrowed.names:
        wanted_of[borrowed.file] = {key: tensor for key, tensor in state.items() if borrowed.holds(key)}
    for name, wanted in wanted_of.items():
        where = str(directory / name)
        stored = load_tensors(directory / name)  # checked in stored precision, where there is less to check
        if name == borrowed.file:
            stored = {key: tensor for key, tensor in stored.items() if borrowed.holds(key)}
        found = unpacked(stored, kept, where)
        wrong = sorted(wanted.keys() ^ found.keys())
        wrong += sorted(k for k in wanted.keys() & found.keys() if wanted[k].shape != found[k].shape)
        if wrong:
            raise ModelError(f"{len(wrong)} tensors are missing, unknown or of another size: {wrong[:4]}", where=where)
        tensors |= found
    model.requires_grad_(not as_stored)
    model.load_state_dict(tensors, assign=True)
    model.eval()


@contextmanager
def without_memory() -> Iterator[None]:
    """Build models in the block without allocating parameters; constant tables are real."""
    with torch.device("meta"), _Uninitialised():
        yield


class _Uninitialised(TorchFunctionMode):
    """Skips `torch.nn.init`, which takes seconds of imports on the meta device."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def packed(
    tensors: Mapping[str, Tensor], storage: Storage, steps: Mapping[str, float] = MappingProxyType({})
) -> dict[str, Tensor]:
    """Tensors as they are written.

    In int8 each matrix row has its own scale; in float16 and int8 vectors stay float32. What is compact is described
    in `speech/models/compact.py`.

    Args:
        tensors: by name.
        storage: number format.
        steps: beginning of names -> step of compact weights; the longest that fits counts, otherwise `STEP`.
    """
    written: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        value = tensor.detach().float().cpu()
        if storage == Storage.compact and tensor.is_floating_point():
            fitting = [name for name in steps if key.startswith(name)]
            step = steps[max(fitting, key=len)] if fitting else STEP
            written |= {key + suffix: part for suffix, part in compacted(value, step).items()}
        elif value.dim() < 2 or storage in (Storage.float32, Storage.compact):
            written[key] = value.contiguous().clone()
        elif storage == Storage.float16:
            written[key] = value.half()
        else:
            rows = value.flatten(1)
            scale = (rows.abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-12)
            written[key] = torch.round(rows / scale).to(torch.int8).view(value.shape)
            written[key + SCALE] = scale.flatten()
    return written


def unpacked(tensors: dict[str, Tensor], as_stored: Collection[str], where: str) -> dict[str, Tensor]:
    """Tensors that `packed` has written, in float32, but those named in `as_stored` in their precision on disk if they
    are not compact.

    Raises:
        ModelError: if scales or shapes of a file, which is `where`, do not fit, or what is compact is damaged.
    """
    shapes, scales = (_taken(tensors, suffix) for suffix in (SHAPE, SCALE))
    for name, shape in shapes.items():
        if name not in tensors or name not in scales:
            raise ModelError(f"{name}{SHAPE} does not fit", where=where)
        tensors[name] = expanded(tensors[name], scales.pop(name), shape, name, where)
    for name, scale in scales.items():
        if name not in tensors or scale.shape != tensors[name].shape[:1]:
            raise ModelError(f"{name}{SCALE} does not fit", where=where)
        if name in as_stored:
            tensors[name] = quantized(tensors[name], scale)
        else:
            value = tensors[name].float()
            tensors[name] = value * scale.view(-1, *[1] * (value.dim() - 1))
    return {key: tensor if key in as_stored else tensor.float() for key, tensor in tensors.items()}


def _taken(tensors: dict[str, Tensor], suffix: str) -> dict[str, Tensor]:
    """Take the tensors whose names end with `suffix` out of `tensors`, by their names without it."""
    return {key.removesuffix(suffix): tensors.pop(key) for key in [k for k in tensors if k.endswith(suffix)]}
