"""Server configuration from flags, environment (`SPEECH_...`) and one YAML file, in this order of precedence."""

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

from serve.config_checks import check, check_answers, check_certificate, check_translator
from speech.errors import ConfigError
from speech.files import printable, read_text

_log = logging.getLogger(__name__)
_PREFIX = "SPEECH_"
_LEAST_WAITING = 16
_OTHERS = ("SPEECH_ANSWER_KEY", "SPEECH_DATA", "SPEECH_SWITCHED", "SPEECH_TRANSLATOR_KEY")
"""Environment variables that are no settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeConfig:
    """Configuration of a server. Names end in their units: `_s` seconds, `_ms` milliseconds."""

    host: str = "127.0.0.1"
    port: int = 8000
    worker: str = ""
    """Name of this worker if several share one address: lowercase letters and digits. Session ids begin with it."""
    model: str = "embedded"
    """embedded, a directory, or a hub id."""
    device: str = "cpu"
    """cpu, cuda, cuda:1 (the second GPU), mps or xpu."""
    precision: str = "auto"
    """Precision of finals, as `speech transcribe --precision`: auto (int8 on an x86 CPU), float32 or int8."""
    readers: int = 0
    """Threads that compute finals; 0: one per CPU core, on more than two cores except one; one on other devices."""
    threads: int = 1
    """torch threads in each reader and in the thread of partial results; 0: torch's default."""
    fallback: bool = True
    """Whether under overload CTC may write finals of a model with a label decoder (`written_by` is then `ctc`), and
    late drafts of translations may be left out (`skipped`)."""
    fallback_s: float = 1.0
    """CTC takes over if the decoder would need longer than this for all waiting parts, at its measured speed. A draft
    behind which as much audio has come is late."""
    chunk_ms: int = 320
    """Interval of partial results, halved while the load is low."""
    lookahead_ms: int = 160
    """Audio after a chunk that its partial result waits for: more gives fewer wrong words and more latency."""
    adapters: str = ""
    """Folder of language adapters: read at startup, then watched for changes; uploads are stored there. Empty: the
    adapters beside the model, and uploads last as long as the process."""
    toxic_words: str = ""
    """Folder of lists of toxic words, such as `eng.txt`: translations are decoded without those that they add, or
    report them if a text translator cannot leave them out, as with `speech transcribe --toxic-words`. Empty: none."""
    translator: str = ""
    """Text translator for targets that the model does not write: a directory or hub id of CTranslate2, or the base URL
    of a chat endpoint; `=spa:fra` behind it names its languages. An endpoint's key is in `SPEECH_TRANSLATOR_KEY`."""
    translator_model: str = ""
    """Name of the model at that endpoint."""
    voice_model: str = ""
    """Voice model for `/v1/audio/speech`: embedded-voice, or an aligned model or an imported Kokoro by its directory or
    hub id. Empty: this server does not speak."""
    answers: str = ""
    """Answers of dialogues: the base URL of an OpenAI-compatible chat endpoint, `=` and its model; echo; or script:
    with a file of lines, for trials. It needs a `voice_model`; an endpoint's key is in `SPEECH_ANSWER_KEY`. Empty:
    this server does not answer."""
    answer_instructions: str = ""
    """What the answering model is told first, unless a client tells it something else."""
    watermark: bool = True
    """Whether what is said is marked as synthetic; without it cloned voices are refused."""
    watermark_model: str = ""
    """Watermark of all that is said: a directory or a hub id. Empty: the folder `watermark` in that of the voice
    model, else the one that ships with the package."""
    watermark_message: int = 0
    """Number that the watermark carries, 0 to 255."""
    voices_folder: str = ""
    """Folder in which voices are kept that clients add over HTTP; with `api_keys` this requires a key. Empty: they may
    add none."""
    max_voices: int = 256
    """Voices that may be added."""
    max_voice_bytes: int = 20_971_520
    """Size of a recording that a voice is made of; it lasts at most 30 s in any case."""
    max_speech_requests: int = 8
    """Texts that may be said at once."""
    max_speech_characters: int = 4096
    """Length of such a text."""
    allow_adapters: bool = False
    """Whether clients may upload and remove adapters over HTTP; with `api_keys` this requires a key."""
    max_adapter_bytes: int = 67_108_864
    api_keys: list[str] = field(default_factory=list)
    """API keys, of which a client must send one; empty: no key is required."""
    origins: list[str] = field(default_factory=list)
    """Web origins whose pages may connect, besides the server's own; `*`: all."""
    allowed_hosts: list[str] = field(default_factory=list)
    """Host names of this server besides localhost, IP addresses, `host` and the machine's name: the public name behind
    a proxy. `*.example.org`: all subdomains; `*`: every name, without protection against DNS rebinding."""
    certfile: str = ""
    keyfile: str = ""
    """PEM files for TLS: both or none."""
    max_connections: int = 512
    """Open connections of any kind."""
    max_sessions: int = 64
    """Live sessions, not counting parked ones (`max_parked`)."""
    max_parked: int = 0
    """Parked sessions, which wait for their clients to resume; 0: as many as `max_sessions`."""
    max_waiting: int = 0
    """Connections without a session yet; 0: as many as `max_sessions`, at least 16."""
    max_load: float = 0.95
    """Share of the engine's time that live sessions may take, estimated from the measured speed."""
    max_message_bytes: int = 1_048_576
    max_json_bytes: int = 262_144
    score_encoder: str = "none"
    """Sentence encoder for SAER in live scores: none, use, e5, labse, or auto (the first that is installed)."""
    max_reference_letters: int = 300_000
    """Letters of a session's reference text; an hour of speech has about 60,000."""
    max_lead_s: float = 5.0
    """Unprocessed audio of a session, beyond which the server stops reading its socket."""
    max_session_s: float = 14400.0
    """Audio per session."""
    max_upload_bytes: int = 209_715_200
    """Size of a file for transcription over HTTP."""
    max_upload_s: float = 14400.0
    """Duration of such a file."""
    max_uploads: int = 8
    """Files that may be uploading, queued or transcribed at once; each may take `max_upload_bytes` of the temporary
    folder."""
    first_message_s: float = 10.0
    idle_s: float = 60.0
    ping_s: float = 20.0
    """Interval of pings, and time for the client to answer; after that its session is parked."""
    slow_reader_s: float = 10.0
    """A client that accepts no message for this long is disconnected; its session is parked."""
    resume_s: float = 30.0
    """How long a parked session waits for its client."""
    drain_s: float = 30.0
    """How long sessions may continue after SIGTERM."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            check(item.name, getattr(self, item.name))
        check_certificate(self.certfile, self.keyfile)
        check_translator(self.translator, self.translator_model)
        check_answers(self.answers, self.voice_model)

    @property
    def most_parked(self) -> int:
        """`max_parked` with its default resolved."""
        return self.max_parked or self.max_sessions

    @property
    def most_waiting(self) -> int:
        """`max_waiting` with its default resolved."""
        return self.max_waiting or max(self.max_sessions, _LEAST_WAITING)


def load(
    flags: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> ServeConfig:
    """Load the configuration from flags, environment and file.

    Args:
        flags: values by field name; None: not given.
        file: YAML with any of the fields.
        environment: variables such as `SPEECH_MAX_SESSIONS=10`; list items are separated by commas.

    Raises:
        ConfigError: if a value is invalid; names the source, the field and the expected value.
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
    """Warn about a `SPEECH_` variable that has no effect and looks like a mistake."""
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
    except (ValueError, TypeError, RecursionError, OverflowError) as error:  # an invalid date, or nested too deeply
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
