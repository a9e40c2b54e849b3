"""Validation of server settings. Every field of `ServeConfig` needs an entry in `CHECKS`."""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from reprlib import repr as shortened
from typing import Any
from urllib.parse import urlsplit

from serve.net.hosts import ANY, is_address, is_name
from speech.errors import ConfigError
from speech.metrics.meaning.semantic import ENCODERS
from speech.models.devices import check_device
from speech.models.precision import Precision

Check = Callable[[Any], str | None]
"""Returns what is expected if a value is invalid, else None. May raise ConfigError with a reason instead."""

_SECRET = ("api_keys",)
_WEEK_S = 604_800
_MOST_BYTES = 1 << 40


def check(name: str, value: object, where: str | None = None) -> None:
    """Raises ConfigError if a setting may not have this value; the error names `where` it comes from."""
    try:
        expected = CHECKS[name](value)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, fix=error.fix) from error
    if expected is not None:
        found = "holds something else" if name in _SECRET else f"is {shortened(value)}"
        raise ConfigError(f"{name} {found}, expected {expected}", where=where)


def check_certificate(certfile: str, keyfile: str) -> None:
    """Raises ConfigError if TLS cannot use these files."""
    if bool(certfile) != bool(keyfile):
        raise ConfigError("certfile and keyfile belong together", fix="Give both for TLS, or none.")
    if not certfile:
        return
    try:
        # Without the empty password OpenSSL would prompt on the terminal for that of an encrypted key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        text = f"are no certificate with its key: {str(reason).lower().replace('_', ' ')}"
        fix = "Give PEM files, the key without a password."
        raise ConfigError(text, where=f"certfile {certfile}, keyfile {keyfile}", fix=fix) from error


def check_answers(answers: str, voice_model: str) -> None:
    """Raises ConfigError if answers have no voice."""
    if answers and not voice_model:
        raise ConfigError("answers without voice_model", fix="Give the model that says them, such as embedded-voice.")


def check_translator(translator: str, model: str) -> None:
    """Raises ConfigError if there is a model for no translator."""
    if model and not translator:
        raise ConfigError("translator_model without translator", fix="Give the URL of its endpoint, or omit it.")


def _whole(least: int, most: int) -> Check:
    def found(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return None if good else f"a whole number from {least} to {most}"

    return found


def _number(least: float, most: float, *, above: bool = False) -> Check:
    def found(value: Any) -> str | None:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        good = number and least <= value <= most and not (above and value == least)
        return None if good else f"a number {'above' if above else 'from'} {least:g} to {most:g}"

    return found


def _one_of(*values: Any) -> Check:
    def found(value: Any) -> str | None:
        good = isinstance(value, type(values[0])) and value in values
        return None if good else f"one of {', '.join(map(str, values))}"

    return found


def _text(pattern: str, expected: str) -> Check:
    return lambda value: None if isinstance(value, str) and re.fullmatch(pattern, value) else expected


def _each(one: Callable[[str], bool], expected: str) -> Check:
    def found(value: Any) -> str | None:
        good = isinstance(value, list | tuple) and all(isinstance(item, str) and one(item) for item in value)
        return None if good else f"a list of {expected}"

    return found


def _host(value: Any) -> str | None:
    good = isinstance(value, str) and (is_address(value.partition("%")[0]) or is_name(value))
    return None if good else "a name or address of this machine, such as 127.0.0.1, :: or localhost"


def _device(value: Any) -> str | None:
    if not isinstance(value, str):
        return "a device of torch, such as cpu or cuda"
    check_device(value)
    return None


def _file(value: Any) -> str | None:
    if not isinstance(value, str) or "\0" in value:
        return "a path"
    return None if not value or Path(value).is_file() else "a file that is there"


def _folder(expected: str) -> Check:
    def found(value: Any) -> str | None:
        if not isinstance(value, str) or "\0" in value:
            return "a path"
        return None if not value or Path(value).is_dir() else expected

    return found


def _is_key(text: str) -> bool:
    return text.isascii() and text.isprintable() and text.strip() == text != ""


def _is_origin(text: str) -> bool:
    if text in (ANY, "null"):
        return True
    try:
        parts = urlsplit(text)
        if parts.port == 0:
            return False
        return bool(
            re.fullmatch("[a-z][a-z0-9+.-]*", parts.scheme)
            and (is_name(parts.hostname or "") or is_address(parts.hostname or ""))
            and text.rstrip("/").lower() == f"{parts.scheme}://{parts.netloc}".lower()
            and "@" not in text
        )
    except ValueError:
        return False


def _is_host(text: str) -> bool:
    return text == ANY or is_name(text.removeprefix("*.")) or is_address(text)


_BYTES = _whole(1, _MOST_BYTES)
_SECONDS = _number(0, _WEEK_S, above=True)

CHECKS: Mapping[str, Check] = {
    "host": _host,
    "port": _whole(0, 65535),
    "worker": _text("[a-z0-9]{0,32}", "up to 32 lowercase letters and digits"),
    "model": _text(r"[^\0\s]([^\0]*[^\0\s])?", "embedded, a directory, or a hub id"),
    "device": _device,
    "precision": _one_of(*(item.value for item in Precision)),
    "readers": _whole(0, 1024),
    "threads": _whole(0, 1024),
    "chunk_ms": _one_of(160, 320, 640, 1280),
    "lookahead_ms": _one_of(0, 80, 160, 320, 640),
    "adapters": _folder("a folder of adapters that is there; it may be empty"),
    "toxic_words": _folder("a folder of lists, such as eng.txt"),
    "translator": _text(r"[^\0\n]*", "a directory, a hub id, or a URL with languages"),
    "translator_model": _text(r"[^\0\n]*", "the name of a model"),
    "voice_model": _text(r"[^\0\n]*", "embedded-voice, a directory, or a hub id"),
    "answers": _text(r"[^\0\n]*", "URL=MODEL of a chat endpoint, script:FILE or echo"),
    "answer_instructions": _text(r"[^\0]{0,20000}", "up to 20000 characters"),
    "watermark": _one_of(False, True),
    "watermark_model": _text(r"[^\0\n]*", "a directory or a hub id"),
    "watermark_message": _whole(0, 255),
    "voices_folder": _folder("a folder for added voices that is there; it may be empty"),
    "max_voices": _whole(0, 100_000),
    "max_voice_bytes": _BYTES,
    "max_speech_requests": _whole(1, 10_000),
    "max_speech_characters": _whole(1, 1_000_000),
    "allow_adapters": _one_of(False, True),
    "max_adapter_bytes": _BYTES,
    "api_keys": _each(_is_key, "keys of printable ASCII, without blanks around them"),
    "origins": _each(_is_origin, "web origins such as https://app.example.org, or *"),
    "allowed_hosts": _each(_is_host, "names such as speech.example.org, without a port, *.example.org, or *"),
    "certfile": _file,
    "keyfile": _file,
    "max_connections": _whole(1, 1_000_000),
    "max_sessions": _whole(1, 1_000_000),
    "max_parked": _whole(0, 1_000_000),
    "max_waiting": _whole(0, 1_000_000),
    "fallback": _one_of(False, True),
    "fallback_s": _number(0, 600),
    "max_load": _number(0, 1_000_000, above=True),
    "max_message_bytes": _BYTES,
    "max_json_bytes": _BYTES,
    "score_encoder": _one_of("none", "auto", *ENCODERS),
    "max_reference_letters": _whole(1, 1_000_000_000),
    "max_lead_s": _SECONDS,
    "max_session_s": _SECONDS,
    "max_upload_bytes": _BYTES,
    "max_upload_s": _SECONDS,
    "max_uploads": _whole(1, 10_000),
    "first_message_s": _SECONDS,
    "idle_s": _SECONDS,
    "ping_s": _SECONDS,
    "slow_reader_s": _SECONDS,
    "resume_s": _number(0, _WEEK_S),
    "drain_s": _number(0, _WEEK_S),
}
"""Checks by field of `serve.config.ServeConfig`."""
