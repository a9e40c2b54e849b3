"""Flags before environment before file; every mistake is named."""

import pytest

from serve.config import ServeConfig, load
from speech.errors import ConfigError


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path):
    file = tmp_path / "serve.yaml"
    file.write_text("port: 1\nmax_sessions: 2\nidle_s: 3\napi_keys: [a, b]\n")
    config = load({"port": 9, "host": None}, file, {"SPEECH_PORT": "5", "SPEECH_IDLE_S": "7.5", "HOME": "/"})
    assert (config.port, config.max_sessions, config.idle_s) == (9, 2, 7.5)
    assert config.api_keys == ["a", "b"]
    assert config.host == "127.0.0.1"


def test_lists_in_the_environment_have_commas():
    assert load({}, None, {"SPEECH_ORIGINS": "https://a, https://b"}).origins == ["https://a", "https://b"]


def test_a_switch_in_the_environment_is_a_word():
    assert load({"allow_adapters": None}, None, {"SPEECH_ALLOW_ADAPTERS": "true"}).allow_adapters
    assert not load({}, None, {"SPEECH_ALLOW_ADAPTERS": "0"}).allow_adapters


def test_an_empty_list_in_the_environment_is_none():
    assert load({}, None, {"SPEECH_API_KEYS": ""}).api_keys == []


def test_other_variables_are_left_alone():
    assert load({}, None, {"SPEECH_DATA": "/corpus", "SPEECH_API_KEY": "x"}) == ServeConfig()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("prt: 1", "prt"), ("port: many", "port"), ("- 1", "list"), ("port: [", "YAML"), ("api_keys: 3", "api_keys")],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_field(tmp_path, text, wrong):
    file = tmp_path / "serve.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=wrong) as caught:
        load({}, file, {})
    assert "serve.yaml" in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="not there"):
        load({}, tmp_path / "none.yaml", {})


def test_a_wrong_variable_is_named():
    with pytest.raises(ConfigError, match="SPEECH_PORT"):
        load({}, None, {"SPEECH_PORT": "x"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 70000},
        {"certfile": "a"},
        {"chunk_ms": 100},
        {"lookahead_ms": 100},
        {"max_sessions": 0},
        {"certfile": "a", "keyfile": "b"},
        {"worker": "A"},
        {"worker": "a-b"},
        {"adapters": "none"},
        {"max_adapter_bytes": 0},
    ],
)
def test_values_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError):
        ServeConfig(**wrong)
