"""A translator behind a chat endpoint, against a real HTTP server."""

import json
import logging
import socket
from collections.abc import Iterator

import pytest

from speech.errors import ConfigError, LanguageError, SpeechError, TranslatorError
from speech.translate.text.chat_endpoint import ChatTranslator
from speech.translate.text.directions import Directions
from speech.translate.toxicity import ToxicWords
from tests.chat_server import ChatServer, chatting

KEY = "sk-very-secret"
LANGUAGES = Directions(("eng", "spa"), ("fra", "deu"))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chatting() as found:
        yield found


def translator(server: ChatServer, **options) -> ChatTranslator:
    return ChatTranslator(server.url, "tiny", LANGUAGES, **{"key": KEY, **options})


def test_each_text_is_a_chat_at_temperature_0(server):
    assert translator(server).translate(["the dog", "a cat"], "eng", "fra") == [
        "FRENCH:THE FRENCH:DOG",
        "FRENCH:A FRENCH:CAT",
    ]
    assert server.paths == ["/v1/chat/completions"] * 2
    assert [asked["messages"][1] for asked in server.asked] == [
        {"role": "user", "content": "the dog"},
        {"role": "user", "content": "a cat"},
    ]
    for asked, headers in zip(server.asked, server.headers, strict=True):
        assert (asked["model"], asked["temperature"], asked["stream"]) == ("tiny", 0, False)
        assert "from English into French" in asked["messages"][0]["content"]
        assert headers["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent(server):
    translator(server, key=None).translate(["the dog"], "eng", "deu")
    assert "Authorization" not in server.headers[0]


def test_it_cannot_be_told_to_leave_words_out_and_is_not_asked(server):
    assert translator(server).translate_without("the dog", "eng", "fra", ToxicWords({"fra": ["dog"]})) is None
    assert server.asked == []


def test_an_answer_of_several_lines_becomes_one(server):
    server.answer = lambda _: (200, json.dumps({"choices": [{"message": {"content": " le\nchien \n"}}]}).encode())
    assert translator(server).translate(["the dog"], "eng", "fra") == ["le chien"]


def test_a_pair_that_is_not_configured_is_refused_before_anything_is_sent(server):
    with pytest.raises(LanguageError, match="It translates from eng, spa"):
        translator(server).translate(["le chien"], "fra", "deu")
    with pytest.raises(LanguageError, match="It translates into fra, deu"):
        translator(server).translate(["the dog"], "eng", "ita")
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>"), "does not answer as a chat endpoint does"),
        ((200, b'{"choices": []}'), "does not answer as a chat endpoint does"),
        ((200, b"[1]"), "does not answer as a chat endpoint does"),
        ((200, b'{"choices": [{"message": {"content": null}}]}'), "answers without a text"),
        ((200, b'{"choices": [{"message": {"content": "  "}}]}'), "answers without a text"),
        ((200, b"[" * 300_000), "more than 262144 bytes"),
        (
            (401, b'{"error": {"message": "Incorrect API key: sk-very-secret"}}'),
            r"answers 401: Incorrect API key: \.\.\.",
        ),
        ((400, b'{"error": "no such model"}'), "answers 400: no such model"),
        ((500, b"oops"), "answers 500"),
    ],
)
def test_an_answer_that_is_no_translation_is_an_error_without_the_key(server, answer, said, caplog):
    caplog.set_level(logging.DEBUG)
    server.answer = lambda _: answer
    with pytest.raises(TranslatorError, match=said) as caught:
        translator(server).translate(["the dog"], "eng", "fra")
    assert server.url in str(caught.value)
    assert KEY not in repr(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in caplog.text
    assert caught.value.__cause__ is None


def test_a_slow_endpoint_fails_in_time(server):
    server.delay_s = 5.0
    with pytest.raises(TranslatorError, match=r"does not answer within 0\.2 s"):
        translator(server, timeout_s=0.2).translate(["the dog"], "eng", "fra")


def test_after_a_failure_it_is_left_alone_for_a_while(server):
    now, usual = [100.0], server.answer
    asked = translator(server, rest_s=10.0, now=lambda: now[0])
    server.answer = lambda _: (503, b"")
    for _ in range(3):
        with pytest.raises(TranslatorError, match="answers 503"):
            asked.translate(["the dog"], "eng", "fra")
    assert len(server.asked) == 1
    server.answer = usual
    now[0] += 11.0
    assert asked.translate(["the dog"], "eng", "fra") == ["FRENCH:THE FRENCH:DOG"]
    assert asked.translate(["a cat"], "eng", "fra") == ["FRENCH:A FRENCH:CAT"]


def test_a_refusal_of_one_text_does_not_stop_others(server):
    usual = server.answer
    server.answer = lambda asked: (400, b"") if "bad" in asked["messages"][1]["content"] else usual(asked)
    asked = translator(server)
    with pytest.raises(TranslatorError, match="answers 400"):
        asked.translate(["bad dog"], "eng", "fra")
    assert asked.translate(["dog"], "eng", "fra") == ["FRENCH:DOG"]


def test_where_nothing_listens_it_says_so():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nobody = ChatTranslator(f"http://127.0.0.1:{port}/v1", "tiny", LANGUAGES, key=KEY)
    with pytest.raises(TranslatorError, match="cannot be asked: connection refused") as caught:
        nobody.translate(["the dog"], "eng", "fra")
    assert KEY not in str(caught.value)


def test_a_server_without_tls_is_told_from_one_that_is_down(server):
    secure = ChatTranslator(server.url.replace("http:", "https:"), "tiny", LANGUAGES)
    with pytest.raises(TranslatorError, match=r"cannot be asked: .*(record|version|ssl)"):
        secure.translate(["the dog"], "eng", "fra")


def test_redirects_are_not_followed(server):
    server.answer, server.location = (lambda _: (302, b"")), f"{server.url}/elsewhere"
    with pytest.raises(TranslatorError, match="answers 302"):
        translator(server).translate(["the dog"], "eng", "fra")
    assert server.paths == ["/v1/chat/completions"]


def test_a_long_text_is_not_sent(server):
    with pytest.raises(TranslatorError, match="a text of 4001 letters, at most 4000"):
        translator(server).translate(["a" * 4001], "eng", "fra")
    assert server.asked == []


@pytest.mark.parametrize(
    "url",
    ["http://", "ftp://host/v1", "http://host/v1?key=1", "http://host/v1#x", "http://ho st/v1", "http://host:x/v1"],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match="address that is none"):
        ChatTranslator(url, "tiny", LANGUAGES)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(SpeechError, match="SPEECH_TRANSLATOR_KEY") as caught:
        ChatTranslator("https://me:hidden@host/v1", "tiny", LANGUAGES)
    assert "hidden" not in str(caught.value)
