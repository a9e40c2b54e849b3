"""Targets of a text translator through the real socket, HTTP and the command, with a chat endpoint beside it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from serve.client import ServerError, StreamClient
from speech.audio.input.pcm import to_pcm16
from speech.cli.commands import app
from speech.recognize.text_translators import KEY, open_translator
from tests.chat_server import ChatServer, chatting
from tests.serve.conftest import Running, finals, play, running, until
from tests.tiny_translators import save_multilingual

EARLY = {"policy": "local_agreement", "latency_ms": 320}
SECRET = "sk-never-shown"


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    with chatting() as found:
        yield found


@pytest.fixture(scope="module")
def translating_texts(chat: ChatServer) -> Iterator[Running]:
    """The embedded model with a text translator from English and Spanish into French and German."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY, SECRET)
        with running(translator=f"{chat.url}=eng,spa:fra,deu", translator_model="tiny") as found:
            yield found


@pytest.fixture(autouse=True)
def well(chat: ChatServer) -> Iterator[None]:
    """A test may put the endpoint out of order."""
    usual = chat.answer
    yield
    chat.answer, chat.delay_s = usual, 0.0


@pytest.fixture(scope="module")
def talk(speech: np.ndarray) -> bytes:
    return to_pcm16(speech[: len(speech) // 16 * 16])


def translations(events: list[dict[str, Any]], target: str = "fra") -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == "translation" and event["target"] == target]


def shouted(text: str, language: str = "FRENCH") -> str:
    return " ".join(f"{language}:{word}" for word in text.split()).upper()


def said(events: list[dict[str, Any]], target: str = "fra") -> str:
    return " ".join(e["text"] for e in translations(events, target) if e["is_final"] and e["text"])


def test_finals_are_translated_and_other_targets_are_not_disturbed(translating_texts, talk):
    events = play(translating_texts, talk, languages=["eng"], targets=["fra", "eng", "deu"])
    assert finals(events)
    assert said(events) == shouted(finals(events))
    assert said(events, "deu") == shouted(finals(events), "GERMAN")
    english = play(translating_texts, talk, languages=["eng"], targets=["eng"])
    assert said(events, "eng") == said(english, "eng") != ""
    assert [event for event in events if event["type"] in ("warning", "error")] == []
    last = [event for event in translations(events) if event["is_final"]]
    assert all(event["stable"] == len(event["words"]) for event in last)
    assert all(word["lang"] == "fra" for event in last for word in event["words"])
    assert all(word["end_ms"] <= event["audio_ms"] for event in last for word in event["words"])
    assert events[-1]["type"] == "end"


def test_a_model_of_ctranslate2_translates_live_what_it_translates_of_a_file(talk, tmp_path):
    folder = save_multilingual(tmp_path / "nllb")
    by_hand = open_translator(str(folder))
    with running(translator=str(folder)) as server:
        events = play(server, talk, languages=["eng"], targets=["spa"])
    texts = [e["text"] for e in events if e["type"] == "transcript" and e["is_final"]]
    found = [event["text"].split() for event in translations(events, "spa")]
    assert found == [by_hand.translate([text], "eng", "spa")[0].split() for text in texts] != []


def test_listed_words_that_an_endpoint_adds_are_reported_live_and_over_http(chat, talk, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "eng.txt").write_text("")
    (lists / "fra.txt").write_text("french")  # what the endpoint puts before each word
    found = {"found": ["french"], "removed": False}
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.frombuffer(talk, "<i2"), 16_000)
    options = {"translator": f"{chat.url}=eng,spa:fra,deu", "translator_model": "tiny", "toxic_words": str(lists)}
    with running(**options) as server:
        events = play(server, talk, languages=["eng"], targets=["fra", "deu"], translation=EARLY)
        with path.open("rb") as file:
            form = {"to": "fra", "response_format": "verbose_json"}
            url = f"{server.http}/v1/audio/translations"
            answer = httpx.post(url, files={"file": ("talk.wav", file)}, data=form, timeout=60)
    last = [event for event in translations(events) if event["is_final"] and event["text"]]
    assert said(events) == shouted(finals(events))
    assert [event["toxicity"] for event in last] == [found] * len(last) != []
    assert not any("toxicity" in event for event in translations(events, "deu"))  # there is no list
    assert answer.json()["toxicity"] == found


def held(server: Running, pcm: bytes, **start: Any) -> list[dict[str, Any]]:
    """All that a session says that ends once a word of a growing part has been translated."""
    options = {"languages": ["eng"], "targets": ["fra"], "endpointing": {"mode": "client", "max_utterance_ms": 30_000}}

    async def conversation() -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        async with StreamClient(f"{server.ws}/v1/stream", **options, **start) as client:

            async def listen() -> None:
                async for event in client:
                    events.append(event)

            listener = asyncio.create_task(listen())
            await client.send(pcm)
            await until(lambda: bool(translations(events)), 60)
            await client.send_all(_nothing())
            await asyncio.wait_for(listener, 60)
        return events

    return asyncio.run(conversation())


async def _nothing() -> AsyncIterator[bytes]:
    for block in ():
        yield block


def test_words_come_while_the_speaker_goes_on(translating_texts, talk):
    events = held(translating_texts, talk, translation=EARLY)
    early = [event for event in translations(events) if not event["is_final"]]
    assert early
    assert all(event["text"].startswith("FRENCH:") and event["stable"] == 0 for event in early)
    assert said(events) == shouted(finals(events))


def test_appended_words_are_never_taken_back(translating_texts, talk):
    rules = {**EARLY, "append": True}
    events = translations(held(translating_texts, talk, translation=rules))
    assert any(not event["is_final"] for event in events)
    for before, after in pairwise(events):
        if before["segment"] == after["segment"]:
            assert after["text"].startswith(before["text"])
    assert all(event["stable"] == len(event["words"]) for event in events)


def test_an_endpoint_that_is_down_is_one_warning_and_the_transcript_goes_on(translating_texts, chat, talk):
    chat.answer = lambda _: (400, json.dumps({"error": {"message": f"no quota for {SECRET}"}}).encode())
    events = play(translating_texts, talk + talk, piece=6_400, languages=["eng"], targets=["fra"], translation=EARLY)
    warnings = [event for event in events if event["type"] == "warning"]
    assert [event["code"] for event in warnings] == ["translation_failed"]
    assert "answers 400: no quota" in warnings[0]["message"]
    assert SECRET not in json.dumps(events)
    assert said(events) == ""
    assert all(event["is_final"] for event in translations(events))
    alone = play(translating_texts, talk + talk, languages=["eng"])
    assert finals(events) == finals(alone) != ""
    assert events[-1]["type"] == "end"


def test_an_endpoint_that_hangs_delays_no_transcript(translating_texts, chat, talk):
    chat.delay_s = 2.0
    events = play(translating_texts, talk + bytes(48_000), languages=["eng"], targets=["fra"])
    kinds = [e["type"] for e in events if e["type"] in ("transcript", "translation") and e["is_final"]]
    assert kinds.count("translation") == kinds.count("transcript") == 2
    assert kinds[0] == "transcript"
    assert kinds[-1] == "translation"
    assert said(events) == shouted(finals(events))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["ita"]}, "knows 'ita'|know 'ita'"),
        ({"targets": ["fra"], "languages": ["deu"]}, "does not translate from German"),
    ],
)
def test_what_is_not_offered_is_refused(translating_texts, options, message):
    async def start() -> None:
        async with StreamClient(f"{translating_texts.ws}/v1/stream", **options) as client:
            async for _ in client:
                pass

    with pytest.raises(ServerError, match=message):
        asyncio.run(start())


def test_the_embedded_model_alone_offers_no_further_target(server, translating_texts):
    own = httpx.get(f"{server.http}/web/model.json").json()
    more = httpx.get(f"{translating_texts.http}/web/model.json").json()
    for kind in ("targets", "drafts"):
        before, after = ([one["code"] for one in found[kind]] for found in (own, more))
        assert before == ["eng"]
        assert after == ["eng", "fra", "deu"]


def test_a_file_is_translated_over_http(translating_texts, talk, tmp_path, chat):
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.frombuffer(talk[:96_000], "<i2"), 16_000)  # the English clip
    url = f"{translating_texts.http}/v1/audio"

    def answer(route: str, **fields: str) -> httpx.Response:
        return httpx.post(f"{url}/{route}", files={"file": path.read_bytes()}, data=fields, timeout=120)

    text = answer("transcriptions").json()["text"]
    assert answer("translations", to="fra").json()["text"] == shouted(text) != ""
    chat.answer = lambda _: (400, b"")
    failed = answer("translations", to="fra")
    assert failed.status_code == 502
    assert "answers 400" in failed.json()["error"]["message"]


def test_the_command_that_streams_shows_translations(translating_texts, talk, tmp_path: Path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.frombuffer(talk, "<i2"), 16_000)
    command = ["stream", str(path), "--url", f"{translating_texts.ws}/v1/stream", "--pace", "0", "--language", "eng"]
    run = CliRunner().invoke(app, [*command, "--to", "fra", "--jsonl"])
    assert run.exit_code == 0, run.output
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert said(events) == shouted(finals(events)) != ""
