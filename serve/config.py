"""What an operator can set: flags, environment (`SPEECH_...`) and one YAML file, in this order of precedence."""

from __future__ import annotations

import dataclasses
import difflib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

import msgspec
import yaml

from serve.config_checks import check, check_certificate
from speech.errors import ConfigError
from speech.files import printable, read_text

_log = logging.getLogger(__name__)
_PREFIX = "SPEECH_"
_LEAST_WAITING = 16
_OTHERS = ("SPEECH_DATA", "SPEECH_SWITCHED")
"""Of other commands."""


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
    """cpu, cuda, cuda:1 (the second GPU), mps or xpu."""
    precision: str = "auto"
    """Of finals: auto (int8 on an x86 CPU), float32 or int8; what `speech transcribe --precision` does."""
    readers: int = 0
    """Threads that read finals; 0: one for every core but one, at least one; on a GPU one."""
    threads: int = 1
    """Of torch in each of them and in the one that reads partial results; 0 leaves torch's choice."""
    fallback: bool = True
    """Whether CTC may write finals of a model with a label decoder, where parts wait for too long; they say so."""
    fallback_s: float = 1.0
    """So long it may take, by measured speed, until all parts that wait have been written by the decoder."""
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
    allowed_hosts: list[str] = field(default_factory=list)
    """Names by which clients may call this server, besides localhost, addresses as numbers, `host` and the name of its
    machine: the public one behind a proxy. `*.example.org`: all below it; `*`: every name, so that a page may have its
    own resolved to this machine."""
    certfile: str = ""
    keyfile: str = ""
    """TLS."""
    max_connections: int = 512
    """Open connections, of whatever kind."""
    max_sessions: int = 64
    """Live sessions, parked ones aside (`max_parked`)."""
    max_parked: int = 0
    """Sessions that may wait for their clients at once; 0: as many as `max_sessions`."""
    max_waiting: int = 0
    """Connections that may have no session yet; 0: as many as `max_sessions`, and 16 at least."""
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
    max_upload_s: float = 14400.0
    """Its audio."""
    max_uploads: int = 8
    """Files that may be on their way, wait or be transcribed at once; each may take `max_upload_bytes` of the folder
    for temporary files."""
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
        for item in dataclasses.fields(self):
            check(item.name, getattr(self, item.name))
        check_certificate(self.certfile, self.keyfile)

    @property
    def most_parked(self) -> int:
        """`max_parked`, as it is meant."""
        return self.max_parked or self.max_sessions

    @property
    def most_waiting(self) -> int:
        """`max_waiting`, as it is meant."""
        return self.max_waiting or max(self.max_sessions, _LEAST_WAITING)


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
        FileError: if the file cannot be read.
    """
    known = {item.name: item for item in dataclasses.fields(ServeConfig)}
    values = dict(_from_file(file, known)) if file is not None else {}
    where = dict.fromkeys(values, str(file))
    for name, text in environment.items():
        field_name = name.removeprefix(_PREFIX).lower()
        if not name.startswith(_PREFIX):
            continue
        if field_name not in known:
            _wonder(name, environment)
            continue
        is_list = str(known[field_name].type).startswith("list")
        parts = [part.strip() for part in text.split(",") if part.strip()] if is_list else text
        fix = "Kubernetes sets it for a Service of that name: enableServiceLinks: false." if "://" in text else None
        values[field_name] = _convert(parts, known[field_name], name, None if is_list else fix)
        where[field_name] = name
    values |= {name: value for name, value in flags.items() if value is not None}
    for name, value in values.items():
        given = flags.get(name) is not None
        check(name, value, f"--{name.replace('_', '-')}" if given else where[name])
    return ServeConfig(**values)


def _wonder(name: str, environment: Mapping[str, str]) -> None:
    """Warn of a variable that means nothing here, where it looks as if it should."""
    if name == "SPEECH_API_KEY":
        if not environment.get("SPEECH_API_KEYS"):
            _log.warning("SPEECH_API_KEY is for clients; without SPEECH_API_KEYS this server asks for no key")
        return
    own = [f"{_PREFIX}{item.name.upper()}" for item in dataclasses.fields(ServeConfig)]
    near = difflib.get_close_matches(name, own, 1, 0.8)
    if name not in _OTHERS and near:
        _log.warning("%s is no setting and has no effect; did you mean %s?", name, near[0])


def _from_file(file: Path, known: Mapping[str, Any]) -> Mapping[str, Any]:
    where = printable(file)
    if not file.exists():
        raise ConfigError("is not there", where=where)
    try:
        content = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = "" if mark is None else f" in line {mark.line + 1}"
        text = problem or (str(error).strip().splitlines() or ["?"])[0]
        raise ConfigError(f"is not YAML: {text}{place}", where=where) from error
    except (ValueError, TypeError, RecursionError, OverflowError) as error:  # a day that there is not, or too deep
        raise ConfigError(f"is not YAML that can be read: {error}", where=where) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"holds a {type(content).__name__}, expected fields", where=where)
    unknown = sorted(str(name) for name in content if name not in known)
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, 1, 0.7)
        fix = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        raise ConfigError(f"has unknown fields: {shortened(unknown)}", where=where, fix=fix)
    return {name: _convert(value, known[name], f"{where}: {name}") for name, value in content.items()}


def _convert(value: Any, item: Any, where: str, fix: str | None = None) -> Any:
    kinds: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "list[str]": list[str]}
    try:
        return msgspec.convert(value, kinds[str(item.type)], strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        text = (str(error).splitlines() or ["?"])[0]
        raise ConfigError(f"{shortened(value)}: {text}", where=where, fix=fix) from error
