"""A GPU that no machine needs to have: it computes on the CPU, and refuses what CUDA refuses.

Its tensors say that they are on torch's device "meta", the only one besides the CPU that every build of torch can name.
They hold numbers all the same, which lie in an ordinary tensor within. An operation on tensors of both devices raises,
with the exceptions that CUDA makes: a CPU tensor without dimensions may go with tensors of the device, and a CPU tensor
may index one. Kernels that only CPUs have, and `numpy()`, raise too. What comes from the device to the CPU is counted:
on a GPU, each such copy waits until all work that was asked for is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

DEVICE = torch.device("meta")
"""What tensors of the fake device say."""
_ONLY_CPU = {"quantized", "mkldnn", "onednn", "prepacked"}
"""Namespaces of kernels that no GPU has."""
_WITHOUT_SCALARS = {"cat", "stack", "mm", "bmm", "addmm", "baddbmm", "matmul", "linear", "index_select", "gather"}
"""Operations that take no CPU tensor beside those of the device, not even one number."""
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
_READING = {"_local_scalar_dense", "item", "equal", "nonzero", "masked_select", "is_nonzero"}
"""Operations whose answer the CPU waits for."""


class FakeTensor(Tensor):
    """On the fake device."""

    within: Tensor
    """The numbers, on the CPU."""

    @staticmethod
    def __new__(cls, within: Tensor) -> FakeTensor:
        made = Tensor._make_wrapper_subclass(
            cls, within.size(), strides=within.stride(), storage_offset=within.storage_offset(),
            dtype=within.dtype, device=DEVICE, requires_grad=False,
        )  # fmt: skip
        made.within = within
        return made

    def __repr__(self, **_: object) -> str:
        return f"FakeTensor({self.within})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError("a tensor of a device is not to be copied or pickled by chance")

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return memo.setdefault(id(self), self.detach().clone())

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, **_: object) -> Any:
        raise TypeError("can't convert fake:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, *_: object) -> Any:
        return self.numpy()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {}, Counter())


class FakeDevice(TorchDispatchMode):
    """While it is on, tensors can be made on the fake device, and copies between it and the CPU are counted.

    Args:
        float64: whether it has such numbers; Apple's GPUs do not.

    Attributes:
        copies: "to device" and "to cpu" -> how often.
    """

    def __init__(self, *, float64: bool = True) -> None:
        super().__init__()
        self.copies: Counter[str] = Counter()
        self._float64 = float64
        self._literals = _Literals()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise the first operation imports torch's compiler, for seconds

    def __enter__(self) -> FakeDevice:
        self._literals.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._literals.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = _run(func, args, kwargs, self.copies)
        if not self._float64 and any(_is_fake(x) and x.dtype == torch.float64 for x in _tensors(found)):
            raise TypeError("the device has no float64")
        return found

    @contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Copies while this is on."""
        before = Counter(self.copies)
        found: Counter[str] = Counter()
        yield found
        found.update(self.copies - before)


class _Literals(TorchFunctionMode):
    """`torch.tensor` would leave the numbers out on the device "meta"; here it makes them first and moves them then."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu") == DEVICE:
            return func(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)
        return func(*args, **kwargs)


def _is_fake(x: object) -> bool:
    return isinstance(x, FakeTensor)


def _name(func: Any) -> str:
    return str(func._schema.name).split("::")[1]


def _run(func: Any, args: Any, kwargs: dict[str, Any], copies: Counter[str]) -> Any:
    if _name(func) == "to":
        return _moved(func, args, kwargs, copies)
    tensors = list(_tensors([args, *kwargs.values()]))
    fake = [x for x in tensors if _is_fake(x)]
    if _name(func) == "_has_compatible_shallow_copy_type":  # asked by `Module.to`
        return len(fake) in (0, len(tensors))
    target = kwargs.get("device")
    name, space = _name(func), func.namespace
    crosses = name in ("_to_copy", "copy_")
    if fake and space in _ONLY_CPU:
        raise NotImplementedError(f"there is no kernel for {func} on the device")
    if fake and len(fake) < len(tensors) and not crosses:
        _check(func, name, args, tensors)
    on_device = bool(fake) if target is None else torch.device(target) == DEVICE
    if name == "copy_":
        on_device = _is_fake(args[0])
        copies["to device"] += on_device and not _is_fake(args[1]) and args[1].dim() > 0
        copies["to cpu"] += not on_device and bool(fake)
    elif name == "_to_copy":
        copies["to device"] += on_device and not fake
        copies["to cpu"] += not on_device and bool(fake)
    elif fake and (name in _READING or _selects(name, args)):
        copies["to cpu"] += 1
    own = {id(x.within): x for x in fake}
    inner = {
        key: torch.device("cpu") if key == "device" and value is not None else value for key, value in kwargs.items()
    }
    if inner.get("pin_memory"):
        inner["pin_memory"] = False
    found = func(*map(_within, args), **{key: _within(value) for key, value in inner.items()})
    if not on_device:
        return found
    with torch.inference_mode(False):  # views of ordinary tensors are ordinary ones, whatever mode they are made in
        return tree_map(lambda x: own[id(x)] if id(x) in own else FakeTensor(x) if isinstance(x, Tensor) else x, found)


def _moved(func: Any, args: Any, kwargs: dict[str, Any], copies: Counter[str]) -> Tensor:
    """What `Tensor.to` does, which comes as one operation where nothing asks for gradients."""
    given = dict(zip([argument.name for argument in func._schema.arguments], args, strict=False)) | kwargs
    x, like = given["self"], given.get("other")
    device = like.device if like is not None else torch.device(given.get("device") or x.device)
    dtype = like.dtype if like is not None else given.get("dtype") or x.dtype
    if (device, dtype) == (x.device, x.dtype) and not given.get("copy"):
        return x
    return _run(torch.ops.aten._to_copy.default, (x,), {"dtype": dtype, "device": device}, copies)


def _within(x: Any) -> Any:
    if isinstance(x, FakeTensor):
        return x.within
    return type(x)(map(_within, x)) if type(x) in (list, tuple) else x


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif type(x) in (list, tuple):
        for part in x:
            yield from _tensors(part)


def _selects(name: str, args: Any) -> bool:
    """Whether it asks where a mask is true, on which the shape of the answer depends."""
    masks = (torch.bool, torch.uint8)
    return name in _INDEXING and any(x is not None and _is_fake(x) and x.dtype in masks for x in args[1])


def _check(func: Any, name: str, args: Any, tensors: list[Tensor]) -> None:
    """Raises where CUDA does: some of the tensors are on the device, some on the CPU."""
    if name in _INDEXING and _is_fake(args[0]):
        values = [x for x in args[2:3] if isinstance(x, Tensor)]
        if all(_is_fake(x) or x.dim() == 0 for x in values):
            return
    elif name not in _WITHOUT_SCALARS and all(_is_fake(x) or x.dim() == 0 for x in tensors):
        return
    places = ", ".join(f"{'device' if _is_fake(x) else 'cpu'} {tuple(x.shape)}" for x in tensors)
    raise RuntimeError(f"Expected all tensors to be on the same device, but {func} got {places}")
