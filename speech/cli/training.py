"""Starts training: Hydra composes a configuration from `conf/` and the command line; its errors become single lines.

Needs the extra `train`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from speech.cli.console import stdout
from speech.cli.recipe import expected, reported
from speech.errors import ConfigError, SpeechError
from speech.files import printable
from speech.train.asr.config import RunConfig
from speech.train.asr.schema import built, register
from speech.train.loop.distributed import is_first
from speech.train.loop.state import CHECKPOINT

if TYPE_CHECKING:
    from rich.console import Console

_TRACEBACKS = "HYDRA_FULL_ERROR"
_PLACE = "full_key:"
_INNER = (_PLACE, "object_type=", "reference_type=", "See https://")
"""Prefixes of lines in Hydra's messages that are of no use to a user."""


def start_training(main: Callable[[Any, Console], None], config_name: str) -> None:
    """Compose `conf/CONFIG_NAME.yaml`, two folders above the recipe, and call `main` with it.

    With HYDRA_FULL_ERROR=1 every error is a traceback.

    Args:
        main: takes the configuration, as its schema's dataclass, and a console for results.
        config_name: name of the recipe's configuration file, without suffix.
    """
    console = stdout()
    asked = os.environ.get(_TRACEBACKS)
    composed: list[RunConfig] = []
    said = partial(reported, (lambda error: None) if asked == "1" else _named, lambda: _farewell(composed))

    @wraps(main)
    def task(config: DictConfig) -> None:
        _ask_for_tracebacks(asked)  # restored here, so that child processes inherit the user's value
        logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
        with said():
            composed.append(_built(config))
            main(composed[-1], console)

    register()
    _ask_for_tracebacks("1")  # makes Hydra re-raise errors unchanged
    try:
        with said():
            hydra.main(version_base="1.3", config_path="../../conf", config_name=config_name)(task)()
    finally:
        _ask_for_tracebacks(asked)


def _built(config: DictConfig) -> RunConfig:
    """Convert to the dataclass of the schema, which rejects keys that were added with `+`."""
    try:
        found: RunConfig = built(config)
    except (AttributeError, TypeError) as error:
        raise ConfigError(f"the configuration does not fit its schema: {error}") from error
    return found


def _ask_for_tracebacks(value: str | None) -> None:
    if value is None:
        os.environ.pop(_TRACEBACKS, None)
    else:
        os.environ[_TRACEBACKS] = value


def _farewell(composed: list[RunConfig]) -> str:
    """Message on how to resume an interrupted run."""
    last = Path(composed[-1].output) / CHECKPOINT if composed else None
    if last is None or not is_first() or not last.is_file():
        return ""
    return f"stopped; the same command goes on from {printable(last)}"


def _named(error: Exception) -> SpeechError | None:
    """Like `expected`, but also converts errors of Hydra and OmegaConf to one line that names the field."""
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return expected(error)
    lines = str(error).splitlines()
    if error.__cause__ is not None:
        lines += str(error.__cause__).splitlines()
    parts: list[str] = []
    for line in lines:
        text = line.strip()
        if not text or text.startswith(_INNER) or text in parts:
            continue
        if parts and line.startswith("\t"):  # one of several choices
            parts[-1] += f" {text}"
        else:
            parts.append(text)
    said = ". ".join(part.rstrip(".") for part in parts)
    key = next((line.strip().removeprefix(_PLACE).strip() for line in lines if line.strip().startswith(_PLACE)), "")
    return ConfigError(said, where=None if not key or key in said else key)
