"""Device selection: checks that this machine can use the device on which a model is to be loaded."""

from __future__ import annotations

import re
import warnings

import torch

from speech.errors import ConfigError

KNOWN = ("cpu", "cuda", "mps", "xpu")
"""Supported device types, by torch's names."""
_FORM = re.compile(r"([a-z]+)(?::(\d+))?")


def parse_device(name: str | torch.device) -> torch.device:
    """Parse a device name such as "cpu", "cuda" or "cuda:1", without checking that it exists.

    Raises:
        ConfigError: if the device type is unknown.
    """
    text = str(name)
    found = _FORM.fullmatch(text)
    if found is None or found[1] not in KNOWN:
        raise ConfigError(
            f"there is no device {text!r}", fix=f"Give one of {', '.join(KNOWN)}; of several GPUs e.g. cuda:1."
        )
    kind, number = found[1], found[2]
    if number is None or (kind == "cpu" and int(number) == 0):
        return torch.device(kind)
    if kind == "cpu" or int(number) > 127:  # torch stores the index in a byte, and would read cuda:300 as cuda:44
        raise ConfigError(f"there is no device {text!r}", fix="Give cpu." if kind == "cpu" else f"Give {kind}:0.")
    return torch.device(kind, int(number))


def check_device(name: str | torch.device, *, allocate: bool = False) -> torch.device:
    """Parse a device name and check that this machine has the device.

    Args:
        name: such as "cpu", "cuda" or "cuda:1".
        allocate: also allocate a tensor on it. This detects a GPU that exists but cannot be used; the process then
            keeps some of its memory.

    Raises:
        ConfigError: if the device does not exist, or torch cannot use it.
    """
    device = parse_device(name)
    if device.type == "cpu":
        return device
    why, fix = _missing(device.type)
    if why:
        raise ConfigError(f"no device {device}: {why}", fix=fix)
    count = torch.get_device_module(device.type).device_count()
    if device.index is not None and device.index >= count:
        there = ", ".join(f"{device.type}:{number}" for number in range(count))
        raise ConfigError(f"no device {device}: this machine has {count}", fix=f"Give one of {there}.")
    if allocate:
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, NotImplementedError, AssertionError) as error:  # torch raises any of them
            reason = _first_line(error)
            raise ConfigError(f"device {device} cannot be used: {reason}", fix="Free it, or take cpu.") from error
    return device


def _missing(kind: str) -> tuple[str, str]:
    """Reason why torch has no device of a kind, and a fix; both empty if it has one."""
    with warnings.catch_warnings(record=True) as said:  # torch may warn with the reason, such as an old driver
        warnings.simplefilter("always")
        if kind == "mps":
            built, available = torch.backends.mps.is_built(), torch.backends.mps.is_available()
        else:
            module = torch.get_device_module(kind)
            built, available = bool(module._is_compiled()), bool(module.is_available()) and module.device_count() > 0
    if available:
        return "", ""
    if not built:
        return f"this torch ({torch.__version__}) is built without it", "Install one that has it, or take cpu."
    reason = _first_line(said[0].message) if said else "torch sees none on this machine"
    return reason, "Look at its driver (and CUDA_VISIBLE_DEVICES), or take cpu."


def _first_line(message: object) -> str:
    return (str(message).strip().splitlines() or [type(message).__name__])[0].rstrip(".")
