"""What a client may ask of texts, over real sockets and in every protocol: plain, several likely, translated."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner
from websockets.sync.client import connect

from serve.client import ServerError
from serve.protocols.deepgram import Deepgram
from serve.protocols.openai_realtime import OpenAiRealtime
from serve.protocols.vosk import Vosk
from speech.cli.app import app
from speech.text.normalize import plain_text
from tests.serve.conftest import Running, finals, play, running
from tests.writing_hybrid import save_writing_hybrid, writing


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose label decoder writes what CTC hears with signs, and translates into English."""
    model = save_writing_hybrid(tmp_path_factory.mktemp("written") / "m", translates=True)
    with writing(), running(model=str(model)) as found:
        yield found


def is_plain(text: str) -> bool:
    return bool(text) and text == text.lower() and not any(sign in text for sign in ".,?!")


def test_plain_texts_are_the_others_without_signs(writer: Running, pcm):
    written, plain = finals(play(writer, pcm)), finals(play(writer, pcm, plain=True))
    assert written.endswith(".")
    assert is_plain(plain)
    assert written.lower().replace(".", "") == plain
    with connect(f"{writer.ws}/v1/stream?plain=true") as socket:
        socket.send(pcm)
        socket.send(b"")
        assert finals([json.loads(text) for text in socket]) == plain


def test_the_command_asks_for_plain_texts(writer: Running, pcm, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.frombuffer(pcm, "<i2"), 16_000)
    common = ["stream", str(tmp_path / "a.wav"), "--url", f"{writer.ws}/v1/stream", "--pace", "0", "--jsonl"]
    said = []
    for more in ([], ["--plain"]):
        done = CliRunner().invoke(app, [*common, *more], catch_exceptions=False)
        said.append(finals([json.loads(line) for line in done.stdout.splitlines()]))
    assert said[0].endswith(".")
    assert is_plain(said[1])


def test_telephony_hears_plain_texts_unless_it_asks_otherwise(writer: Running, pcm):
    def said(query: str) -> str:
        with connect(f"{writer.ws}/vosk?sample_rate=16000{query}") as socket:
            socket.send(pcm)
            socket.send('{"eof":1}')
            return " ".join(filter(None, (json.loads(text).get("text") for text in socket)))

    assert is_plain(said(""))
    assert said("&plain=false").endswith(".")


def test_deepgrams_clients_ask_by_their_own_names(writer: Running, pcm):
    def said(query: str) -> list[dict[str, Any]]:
        with connect(f"{writer.ws}/v1/listen?encoding=linear16&sample_rate=16000{query}") as socket:
            socket.send(pcm)
            socket.send('{"type":"CloseStream"}')
            events = [json.loads(text) for text in socket]
        found = [e["channel"]["alternatives"][0] for e in events if e["type"] == "Results"]
        return [one for one in found if one["transcript"]]

    written = said("")
    assert written[0]["transcript"].endswith(".")
    last = written[0]["words"][-1]
    assert last["punctuated_word"] == f"{last['word']}."
    assert all(is_plain(one["transcript"]) for one in said("&punctuate=false"))
    assert said("&punctuate=false&smart_format=true") == written


def test_files_over_http_are_plain_or_translated_as_asked(writer: Running, pcm, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.frombuffer(pcm, "<i2"), 16_000)

    def post(what: str, **data: str) -> httpx.Response:
        files = {"file": (tmp_path / "a.wav").read_bytes()}
        return httpx.post(f"{writer.http}/v1/audio/{what}", files=files, data=data, timeout=60)

    assert post("transcriptions").json()["text"].endswith(".")
    assert is_plain(post("transcriptions", plain="true").json()["text"])
    assert post("translations").json()["text"] == "In English. In English."
    assert is_plain(post("translations", plain="true").json()["text"])
    assert post("translations", to="deu").json()["error"]["code"] == "bad_target"


def test_live_translations_are_finals_of_each_part(writer: Running, pcm):
    events = play(writer, pcm, targets=["eng"])
    translated = [event for event in events if event["type"] == "translation"]
    segments = {e["segment"] for e in events if e["type"] == "transcript" and e["is_final"] and e["text"]}
    assert {event["segment"] for event in translated if event["is_final"]} == segments
    assert {event["text"] for event in translated} == {"In English."}
    with pytest.raises(ServerError, match="does not know 'deu' here; it knows eng"):
        play(writer, pcm, targets=["deu"])


def test_several_likely_texts_come_with_finals(server: Running, pcm, said):
    events = [e for e in play(server, pcm, nbest=4) if e["type"] == "transcript"]
    assert finals(events) == said
    for event in events:
        listed = event.get("alternatives", [])
        assert bool(listed) == event["is_final"]
        assert len(listed) <= 4
        if listed:
            assert listed[0]["text"] == event["text"]
            assert len({one["text"] for one in listed}) == len(listed)
            chances = [one["confidence"] for one in listed]
            assert chances == sorted(chances, reverse=True)
            assert sum(chances) <= 1.001
    assert any(len(event.get("alternatives", [])) == 4 for event in events)
    with pytest.raises(ServerError, match="nbest"):
        play(server, pcm, nbest=11)


def test_vosk_lists_alternatives_where_it_is_asked_to(server: Running, pcm, said):
    with connect(f"{server.ws}/vosk") as socket:
        socket.send('{"config":{"sample_rate":16000,"max_alternatives":3}}')
        socket.send(pcm)
        socket.send('{"eof":1}')
        replies = [json.loads(text) for text in socket]
    listed = [reply["alternatives"] for reply in replies if "alternatives" in reply]
    assert not any("text" in reply for reply in replies)
    assert " ".join(one[0]["text"] for one in listed if one[0]["text"]) == plain_text(said)
    assert max(map(len, listed)) == 3
    assert [word["word"] for one in listed for word in one[0].get("result", [])] == plain_text(said).split()


def test_deepgrams_alternatives_follow_the_text(server: Running, pcm):
    with connect(f"{server.ws}/v1/listen?encoding=linear16&sample_rate=16000&alternatives=3") as socket:
        socket.send(pcm)
        socket.send('{"type":"CloseStream"}')
        results = [e["channel"]["alternatives"] for e in map(json.loads, socket) if e["type"] == "Results"]
    assert max(map(len, results)) == 3
    for listed in results:
        assert len({one["transcript"] for one in listed}) == len(listed)
        assert all(set(one) >= {"transcript", "confidence", "words"} for one in listed)


def test_each_protocol_names_plain_and_alternatives_in_its_own_way():
    vosk = Vosk({}, 1000)
    start: Any = vosk.incoming('{"config":{"plain":false,"max_alternatives":99}}')[0]
    assert (start.plain, start.nbest) == (False, 10)
    start = Vosk({"plain": "false"}, 1000).incoming(b"")[0]
    assert (start.plain, start.nbest) == (False, 1)
    start = Deepgram([("punctuate", "false"), ("alternatives", "2")], 1000).incoming(b"\0\0")[0]
    assert (start.plain, start.nbest) == (True, 2)
    deepgram = Deepgram([], 1000)
    assert deepgram.incoming(b"\0\0")[0].plain is False
    assert deepgram.incoming('{"type":"Configure","punctuate":false}')[0].plain is True
    realtime = OpenAiRealtime(["eng"])
    settings = {"type": "transcription", "audio": {"input": {"transcription": {"plain": True}}}}
    realtime.incoming(json.dumps({"type": "session.update", "session": settings}))
    start = realtime.incoming('{"type":"input_audio_buffer.append","audio":"AAAAAA=="}')[0]
    assert start.plain is True
