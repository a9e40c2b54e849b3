"""Every setting has a check, and every check refuses what cannot be."""

import dataclasses
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

from serve.config import ServeConfig, load
from serve.config_checks import CHECKS, check
from speech.errors import ConfigError

FIELDS = [item.name for item in dataclasses.fields(ServeConfig)]
NUMBERS = [item.name for item in dataclasses.fields(ServeConfig) if item.type in ("int", "float")]
LISTS = [item.name for item in dataclasses.fields(ServeConfig) if item.type == "list[str]"]
WRONG: dict[str, list[Any]] = {
    "host": ["", " ", "a b", "http://a", "a:80", "a/b", "\0", "é" * 300, 5],
    "port": [-1, 65536, 1 << 70],
    "worker": ["A", "a-b", "a" * 33, "a\n", 1],
    "model": ["", " ", "a\0b", None],
    "device": ["", "  ", "gpu", "cuda:many", "meta nonsense", 3],
    "precision": ["", "float16", "INT8", None],
    "readers": [-1, 5000],
    "threads": [-1, 5000],
    "chunk_ms": [0, 100, 321, "320"],
    "lookahead_ms": [-80, 100, "160"],
    "adapters": ["none", "\0", 5],
    "toxic_words": ["none", "\0", 5],
    "translator": ["a\0b", "a\nb", None],
    "translator_model": ["a\0b", 5],
    "answers": ["a\0b", "a\nb", None],
    "answer_instructions": ["a\0b", "a" * 20_001, None],
    "voice_model": ["a\0b", "a\nb", None],
    "watermark_model": ["a\0b", "a\nb", None],
    "watermark_message": [-1, 256, 1.5],
    "voices_folder": ["none", "\0", 5],
    "max_voices": [-1, 1.5],
    "max_voice_bytes": [0, -1, 1 << 60],
    "max_speech_requests": [0, "many"],
    "max_speech_characters": [0, 1.5],
    "allow_adapters": ["yes", 2, None],
    "max_adapter_bytes": [0, -1, 1 << 60],
    "api_keys": [[""], [" a"], ["a "], ["a\n"], ["schlüssel"], "key", [5], [None]],
    "origins": [["app.example.org"], ["https://"], ["https://a/b"], ["https://a b"], ["https://u@a"], ["https://a:x"],
                ["https://a:99999"], [""], "*"],
    "allowed_hosts": [["a:80"], ["https://a"], ["a b"], [""], ["*.*"], ["a.*"], "*", [1]],
    "certfile": ["none.pem", "\0", 5],
    "keyfile": ["none.pem", "\0", 5],
    "max_connections": [0, -1],
    "max_sessions": [0, -1],
    "max_parked": [-1, 1.5],
    "max_waiting": [-1, 1.5],
    "fallback": ["yes", 2, None],
    "watermark": ["no", 2, None],
    "fallback_s": [-1.0, 601],
    "max_load": [0, -1.0],
    "max_message_bytes": [0, -1],
    "max_json_bytes": [0, -1],
    "score_encoder": ["", "bert"],
    "max_reference_letters": [0, -1],
    "max_lead_s": [0, -1.0],
    "max_session_s": [0, -1.0],
    "max_upload_bytes": [0, -1],
    "max_upload_s": [0, -1.0],
    "max_uploads": [0, -1],
    "first_message_s": [0, -1.0],
    "idle_s": [0, -1.0],
    "ping_s": [0, -1.0],
    "slow_reader_s": [0, -1.0],
    "resume_s": [-0.1],
    "drain_s": [-0.1],
}  # fmt: skip


def test_every_setting_has_a_check_and_wrong_values_that_it_is_tried_with():
    assert list(CHECKS) == FIELDS or set(CHECKS) == set(FIELDS)
    assert set(WRONG) == set(FIELDS)
    assert all(WRONG.values())


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_value_that_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name) as caught:
        ServeConfig(**{name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, None, "5", [1]])
def test_what_is_no_finite_number_is_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        ServeConfig(**{name: value})


@pytest.mark.parametrize("name", [name for name in NUMBERS if not name.endswith("_ms")])
@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e400", "x"])
def test_a_variable_that_cannot_be_is_refused_with_its_name(name, text):
    with pytest.raises(ConfigError, match=f"SPEECH_{name.upper()}"):
        load({}, None, {f"SPEECH_{name.upper()}": text})


@pytest.mark.parametrize("name", LISTS)
def test_good_lists_pass(name):
    good = {
        "api_keys": ["one", "a key", "ek_x"],
        "origins": ["https://a.example:8443", "http://[::1]:80/", "*", "null"],
        "allowed_hosts": ["a.example", "*.a.example", "10.0.0.1", "::1", "*"],
    }
    assert getattr(ServeConfig(**{name: good[name]}), name) == good[name]


def test_keys_are_not_repeated_in_errors():
    with pytest.raises(ConfigError) as caught:
        ServeConfig(api_keys=["secret", "geheimnis\n"])
    assert "geheimnis" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_is_wrong_is_said_with_its_place_and_shortened():
    with pytest.raises(ConfigError, match=r"^here: port is .*expected a whole number from 0 to 65535$") as caught:
        check("port", "9" * 10_000, "here")
    assert len(str(caught.value)) < 200


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, *names, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


def test_a_certificate_is_loaded_with_its_key_before_anything_else(pair, tmp_path):
    cert, key = map(str, pair)
    assert ServeConfig(certfile=cert, keyfile=key).certfile == cert
    other, locked = tmp_path / "other.pem", tmp_path / "locked.pem"
    subprocess.run(["openssl", "genrsa", "-out", str(other), "2048"], check=True, capture_output=True)
    encrypt = ["openssl", "ec", "-in", key, "-aes256", "-passout", "pass:word", "-out", str(locked)]
    subprocess.run(encrypt, check=True, capture_output=True)
    for wrong in ({"certfile": cert}, {"keyfile": key}):
        with pytest.raises(ConfigError, match="belong together"):
            ServeConfig(**wrong)
    for one, two in ((key, cert), (cert, str(other)), (cert, str(locked)), (cert, cert), (str(locked), key)):
        with pytest.raises(ConfigError, match="no certificate with its key") as caught:
            ServeConfig(certfile=one, keyfile=two)
        assert "\n" not in str(caught.value)


def test_a_model_without_a_translator_is_refused():
    with pytest.raises(ConfigError, match="translator_model without translator"):
        ServeConfig(translator_model="tiny")
    assert ServeConfig(translator="http://host/v1=eng:fra", translator_model="tiny").translator_model == "tiny"
