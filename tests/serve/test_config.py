"""Flags before environment before file; every mistake is named."""

import pytest

from serve.config import ServeConfig, load
from speech.errors import ConfigError, SpeechError


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
    "content",
    [
        b"host: \xff\xfe", b"[" * 500, b"port: 2020-99-99", b"1: 2\nport: 3", b"a: &a [*a]", b"\0",
        b"? [a, b]\n: c",
        b"&a a: *b", b"port: !!python/object:os.system x", b"api_keys: " + b"[" * 50 + b"]" * 50, b"port: 1\n\tx: 2",
        b"host: " + b"a" * 100_000,
        b"a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\napi_keys: [*b, *b, *b, *b, *b, *b, *b]",
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_short_line_with_its_name(tmp_path, content):
    file = tmp_path / "serve.yaml"
    file.write_bytes(content)
    with pytest.raises(SpeechError, match=r"serve\.yaml") as caught:
        load({}, file, {})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1500


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(SpeechError, match="cannot be read"):
        load({}, tmp_path, {})


def test_a_name_that_is_nearly_right_is_named():
    with pytest.raises(ConfigError, match="--max-sessions"):
        load({"max_sessions": 0}, None, {})


def test_a_variable_that_means_nothing_is_wondered_at(caplog):
    said = {
        "SPEECH_MAX_SESSION": "did you mean SPEECH_MAX_SESSIONS",
        "SPEECH_APIKEYS": "did you mean SPEECH_API_KEYS",
        "SPEECH_API_KEY": "this server asks for no key",
    }
    for name, text in said.items():
        caplog.clear()
        load({}, None, {name: "1"})
        assert text in caplog.text
    caplog.clear()
    load(
        {}, None, {"SPEECH_DATA": "/corpus", "SPEECH_API_KEY": "x", "SPEECH_API_KEYS": "y", "SPEECH_SERVICE_HOST": "z"}
    )
    assert caplog.text == ""


def test_what_kubernetes_sets_for_a_service_of_this_name_is_explained():
    with pytest.raises(ConfigError, match="enableServiceLinks"):
        load({}, None, {"SPEECH_PORT": "tcp://10.0.0.1:8000"})


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("0", False), ("FALSE", False)])
def test_a_switch_is_on_or_off(text, value):
    assert load({}, None, {"SPEECH_ALLOW_ADAPTERS": text}).allow_adapters is value
    for wrong in ("nan", "2", "maybe", ""):
        with pytest.raises(ConfigError, match="SPEECH_ALLOW_ADAPTERS"):
            load({}, None, {"SPEECH_ALLOW_ADAPTERS": wrong})
