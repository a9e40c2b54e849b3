"""What an operator can set: flags, environment (`SPEECH_...`) and one YAML file, in this order of precedence."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from speech.errors import ConfigError
from speech.metrics.semantic import ENCODERS
from speech.models.precision import Precision

_PREFIX = "SPEECH_"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeConfig:
    """A server. Durations in seconds."""

    host: str = "127.0.0.1"
    port: int = 8000
    worker: str = ""
    """Name of this server among several behind one address, lowercase letters and digits; session ids begin with it."""
    model: str = "embedded"
    """embedded, a directory, or a hub id."""
    device: str = "cpu"
    precision: str = "auto"
    """Of finals: auto (int8 on an x86 CPU), float32 or int8; what `speech transcribe --precision` does."""
    readers: int = 0
    """Threads that read finals; 0: one for every core but one, at least one; on a GPU one."""
    threads: int = 1
    """Of torch in each of them and in the one that reads partial results; 0 leaves torch's choice."""
    chunk_ms: int = 320
    """Partial results come every so often, and twice as often while the processor has time for it."""
    lookahead_ms: int = 160
    """Audio behind a chunk that its partial result waits for: fewer wrong words, so much later."""
    adapters: str = ""
    """Folder of languages' adapters: read at the start and followed from then on, and uploads are kept there. None:
    those beside the model, and uploads last as long as the process."""
    allow_adapters: bool = False
    """Whether adapters may be uploaded and removed over HTTP; with `api_keys` by those who have one."""
    max_adapter_bytes: int = 67_108_864
    api_keys: list[str] = field(default_factory=list)
    """Secrets that clients give; none: everybody may."""
    origins: list[str] = field(default_factory=list)
    """Web origins besides the server's own whose pages may connect; `*`: all."""
    certfile: str = ""
    keyfile: str = ""
    """TLS."""
    max_sessions: int = 64
    """Live sessions, parked ones aside (`max_parked`)."""
    max_parked: int = 0
    """Sessions that may wait for their clients at once; 0: as many as `max_sessions`."""
    max_waiting: int = 0
    """Connections that may have no session yet; 0: as many as `max_sessions`."""
    max_load: float = 0.95
    """Share of the engine's time that live sessions may be expected to take, from measured speed."""
    max_message_bytes: int = 1_048_576
    max_json_bytes: int = 262_144
    score_encoder: str = "none"
    """For the meaning in live scores: none, use, e5, labse, or auto: the first of them that is on the machine."""
    max_reference_letters: int = 300_000
    """Of what a client says is really said, for scores; an hour has about 60,000."""
    max_lead_s: float = 5.0
    """Unprocessed audio of a session from which its socket is read no further."""
    max_session_s: float = 14400.0
    """Audio of one session."""
    max_upload_bytes: int = 209_715_200
    """A file for transcription over HTTP."""
    first_message_s: float = 10.0
    idle_s: float = 60.0
    ping_s: float = 20.0
    """A client is asked so often whether it is there, and has as long to answer; then its session waits for it."""
    slow_reader_s: float = 10.0
    """A client that takes no message for so long is cut off; its session waits for it."""
    resume_s: float = 30.0
    """How long a session waits for a client whose connection broke."""
    drain_s: float = 30.0
    """How long sessions may go on after SIGTERM."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port}", fix="Give 0 (any free one) to 65535.")
        if self.worker and not re.fullmatch("[a-z0-9]+", self.worker):
            raise ConfigError(f"worker {self.worker!r}", fix="Give lowercase letters and digits.")
        if bool(self.certfile) != bool(self.keyfile):
            raise ConfigError("certfile and keyfile belong together", fix="Give both for TLS, or none.")
        if self.chunk_ms not in (160, 320, 640, 1280):
            raise ConfigError(f"chunk_ms {self.chunk_ms}", fix="Give 160, 320, 640 or 1280.")
        if self.lookahead_ms not in (0, 80, 160, 320, 640):
            raise ConfigError(f"lookahead_ms {self.lookahead_ms}", fix="Give 0, 80, 160, 320 or 640.")
        if self.precision not in list(Precision):
            raise ConfigError(f"precision {self.precision!r}", fix=f"Give one of {', '.join(Precision)}.")
        if self.score_encoder not in ("none", "auto", *ENCODERS):
            raise ConfigError(f"score_encoder {self.score_encoder!r}", fix=f"Give none, auto, {', '.join(ENCODERS)}.")
        for name in ("readers", "threads", "max_parked", "max_waiting"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} {getattr(self, name)}", fix="Give 0 or more.")
        sizes = ("max_sessions", "max_message_bytes", "max_json_bytes", "max_adapter_bytes", "max_lead_s")
        for name in (*sizes, "max_reference_letters", "idle_s", "ping_s", "slow_reader_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} {getattr(self, name)}", fix="Give more than 0.")
        for path in filter(None, (self.certfile, self.keyfile)):
            if not Path(path).is_file():
                raise ConfigError("is not there", where=path)
        if self.adapters and not Path(self.adapters).is_dir():
            raise ConfigError("is no folder of adapters", where=self.adapters, fix="Make it; it may be empty.")

    @property
    def most_parked(self) -> int:
        """`max_parked`, as it is meant."""
        return self.max_parked or self.max_sessions

    @property
    def most_waiting(self) -> int:
        """`max_waiting`, as it is meant."""
        return self.max_waiting or self.max_sessions


def load(
    flags: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> ServeConfig:
    """The configuration that flags, environment and file make.

    Args:
        flags: names and values; None means not given.
        file: YAML with any of the fields.
        environment: `SPEECH_MAX_SESSIONS=10`; lists have commas.

    Raises:
        ConfigError: naming the source, the field, and what it should be.
    """
    known = {item.name: item for item in dataclasses.fields(ServeConfig)}
    values = dict(_from_file(file, known)) if file is not None else {}
    for name, text in environment.items():
        field_name = name.removeprefix(_PREFIX).lower()
        if name.startswith(_PREFIX) and field_name in known:
            is_list = str(known[field_name].type).startswith("list")
            values[field_name] = _convert(
                [part.strip() for part in text.split(",") if part.strip()] if is_list else text, known[field_name], name
            )
    values |= {name: value for name, value in flags.items() if value is not None}
    return ServeConfig(**values)


def _from_file(file: Path, known: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text("utf-8")) or {}
    except FileNotFoundError as error:
        raise ConfigError("is not there", where=str(file)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"is not YAML: {error}", where=str(file)) from error
    if not isinstance(content, dict):
        raise ConfigError(f"holds a {type(content).__name__}, expected fields", where=str(file))
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise ConfigError(f"has unknown fields {unknown}", where=str(file), fix=f"Known: {', '.join(known)}.")
    return {name: _convert(value, known[name], f"{file}: {name}") for name, value in content.items()}


def _convert(value: Any, item: Any, where: str) -> Any:
    kinds: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "list[str]": list[str]}
    try:
        return msgspec.convert(value, kinds[str(item.type)], strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{value!r}: {error}", where=where) from error
