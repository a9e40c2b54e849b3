"""Imports the Firefly codec of published Fish-Speech 1.4 and 1.5, numerically identical. Weight normalisation is fused
(Salimans and Kingma 2016)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from speech.errors import ModelError
from speech.files import printable
from speech.models.fish_codec import FishCodec, FishCodecConfig
from speech.models.importers.fish_files import AGAIN, check_names, read_state
from speech.models.storage import without_memory
from speech.tensors import check_finite

_GENERATOR = "generator."
"""In the names of a file that was saved with the networks that judged the codec in training, which are left out."""
_FRONT_END = "spec_transform."
"""Constants of the front end, which some files have and all readers compute."""
_LENGTH, _DIRECTION = ".parametrizations.weight.original0", ".parametrizations.weight.original1"


@dataclass(frozen=True, slots=True)
class _Target:
    """A published tensor, and where it belongs."""

    theirs: str
    ours: str
    shape: tuple[int, ...]
    """Of the published tensor."""
    convert: Callable[[Tensor], Tensor]


def import_fish_codec(path: Path, config: FishCodecConfig) -> FishCodec:
    """Load a published codec in float32 and evaluation mode.

    Args:
        path: `firefly-gan-vq-fsq-8x1024-21hz-generator.pth`.
        config: its shape, which the file does not tell.

    Raises:
        FileError: if the file cannot be read.
        ModelError: naming tensors that are missing, unknown, of another shape or not finite.
    """
    return build_fish_codec(read_state(path), config, printable(path))


def build_fish_codec(state: Mapping[str, Tensor], config: FishCodecConfig, where: str) -> FishCodec:
    """Build a codec from published tensors; errors name `where`.

    Raises:
        ModelError: as `import_fish_codec`.
    """
    if any(_GENERATOR in key for key in state):
        state = {key.replace(_GENERATOR, ""): tensor for key, tensor in state.items() if _GENERATOR in key}
    kept = {key: tensor.float() for key, tensor in state.items() if not key.startswith(_FRONT_END)}
    plain = _without_weight_norm(kept, where)
    with without_memory():
        codec = config.build()
    links = [*_encoder(codec), *_quantizer(codec), *_head(codec)]
    groups = _groups(codec)
    shapes = {link.theirs: link.shape for link in links}
    shapes |= {name: shape for names, shape in groups.values() for name in names}
    check_names(shapes, plain, where)
    check_finite(plain, where, AGAIN)
    found = {link.ours: link.convert(plain[link.theirs]).contiguous() for link in links}
    found |= {ours: torch.stack([plain[name] for name in names]) for ours, (names, _) in groups.items()}
    codec.load_state_dict(found, assign=True)
    return codec.eval()


def _encoder(codec: FishCodec) -> Iterator[_Target]:
    state, place = codec.encoder.state_dict(prefix="encoder."), 0
    for stage, depth in enumerate(codec.config.depths):
        theirs, first, second = f"backbone.downsample_layers.{stage}", f"encoder.layers.{place}", place + 1
        if stage == 0:
            yield from _plain(state, f"{theirs}.0.conv", f"{first}.conv")
            yield from _plain(state, f"{theirs}.1", f"encoder.layers.{second}.module")
        else:
            yield from _plain(state, f"{theirs}.0", f"{first}.module")
            yield from _pointwise(state, f"{theirs}.1", f"encoder.layers.{second}.module")
        for block in range(depth):
            yield from _block(state, f"backbone.stages.{stage}.{block}", f"encoder.layers.{place + 2 + block}")
        place += 2 + depth
    yield from _plain(state, "backbone.norm", f"encoder.layers.{place}.module")


def _quantizer(codec: FishCodec) -> Iterator[_Target]:
    state = codec.quantizer.state_dict(prefix="quantizer.")
    factors = codec.config.factors
    for place in range(len(factors)):
        yield from _plain(state, f"quantizer.downsample.{place}.0.conv", f"quantizer.lower.{place}.conv")
        yield from _block(state, f"quantizer.downsample.{place}.1", f"quantizer.lower_blocks.{place}")
    for place, factor in enumerate(reversed(factors)):
        theirs, ours = f"quantizer.upsample.{place}", f"quantizer.raise_rate.layers.{2 * place}"
        yield from _transposed(state, f"{theirs}.0.conv", f"{ours}.taps.conv", factor)
        yield from _block(state, f"{theirs}.1", f"quantizer.raise_rate.layers.{2 * place + 1}")


def _head(codec: FishCodec) -> Iterator[_Target]:
    state, config = codec.head.state_dict(prefix="head."), codec.config.hifi_gan
    yield from _plain(state, "head.conv_pre.conv", "head.first.conv")
    for stage, rate in enumerate(config.rates):
        yield from _transposed(state, f"head.ups.{stage}.conv", f"head.stages.{stage}.up.taps.conv", rate)
        for kernel in range(len(config.kernels)):
            theirs, ours = f"head.resblocks.{stage}.blocks.{kernel}", f"head.stages.{stage}.blocks.{kernel}"
            for place in range(2 * len(config.dilations)):
                conv = f"{theirs}.convs{place % 2 + 1}.{place // 2}.conv"
                yield from _plain(state, conv, f"{ours}.convolutions.{place}.conv")
    yield from _plain(state, "head.conv_post.conv", "head.last.conv")


def _groups(codec: FishCodec) -> dict[str, tuple[list[str], tuple[int, ...]]]:
    """Tensor of all groups of the quantiser -> published names of those of each group, and their shape."""
    found: dict[str, tuple[list[str], tuple[int, ...]]] = {}
    for ours, theirs in (("down", "project_in"), ("up", "project_out")):
        for name, end in ((ours, "weight"), (f"{ours}_bias", "bias")):
            tensor = codec.quantizer.gfsq.get_parameter(name)
            names = [f"quantizer.residual_fsq.rvqs.{group}.{theirs}.{end}" for group in range(len(tensor))]
            found[f"quantizer.gfsq.{name}"] = names, tuple(tensor.shape[1:])
    return found


def _plain(state: Mapping[str, Tensor], theirs: str, ours: str) -> Iterator[_Target]:
    """Weight and bias."""
    for end in ("weight", "bias"):
        yield _Target(f"{theirs}.{end}", f"{ours}.{end}", tuple(state[f"{ours}.{end}"].shape), lambda x: x)


def _pointwise(state: Mapping[str, Tensor], theirs: str, ours: str) -> Iterator[_Target]:
    """A convolution of one tap, which is a linear layer here."""
    weight, bias = _plain(state, theirs, ours)
    yield _Target(weight.theirs, weight.ours, (*weight.shape, 1), lambda x: x[..., 0])
    yield bias


def _transposed(state: Mapping[str, Tensor], theirs: str, ours: str, factor: int) -> Iterator[_Target]:
    """A transposed convolution, which is one of `factor` times the outputs here."""
    outputs, inputs, taps = state[f"{ours}.weight"].shape
    outputs //= factor

    def weight(x: Tensor) -> Tensor:
        parts = x.unflatten(2, (taps, factor)).flip(2)  # (inputs, outputs, taps, factor), the newest frame's tap last
        return parts.permute(3, 1, 0, 2).flatten(0, 1)

    yield _Target(f"{theirs}.weight", f"{ours}.weight", (inputs, outputs, taps * factor), weight)
    yield _Target(f"{theirs}.bias", f"{ours}.bias", (outputs,), lambda x: x.repeat(factor))


def _block(state: Mapping[str, Tensor], theirs: str, ours: str) -> Iterator[_Target]:
    """A ConvNeXt block."""
    yield _Target(f"{theirs}.gamma", f"{ours}.gamma", tuple(state[f"{ours}.gamma"].shape), lambda x: x)
    names = {"dwconv.conv": "conv.conv", "norm": "norm", "pwconv1": "feed_forward.up", "pwconv2": "feed_forward.down"}
    for name, own in names.items():
        yield from _plain(state, f"{theirs}.{name}", f"{ours}.{own}")


def _without_weight_norm(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Weights from their directions and lengths."""
    plain = {key: tensor for key, tensor in tensors.items() if not key.endswith((_LENGTH, _DIRECTION))}
    for key in sorted({key.removesuffix(_LENGTH).removesuffix(_DIRECTION) for key in tensors.keys() - plain.keys()}):
        missing = [key + end for end in (_LENGTH, _DIRECTION) if key + end not in tensors]
        if missing:
            raise ModelError(f"1 tensors are missing: {missing[0]}", where=where, fix=AGAIN)
        length, direction = tensors[key + _LENGTH], tensors[key + _DIRECTION]
        if length.shape != (len(direction), *[1] * (direction.dim() - 1)):
            what = f"{key}: a length of shape {tuple(length.shape)} for weights of shape {tuple(direction.shape)}"
            raise ModelError(what, where=where)
        plain[f"{key}.weight"] = torch._weight_norm(direction, length, 0)
    return plain
