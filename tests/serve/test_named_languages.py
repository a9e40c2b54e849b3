"""A live session may name what the label decoder alone knows: its finals are those of a file."""

import json

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from serve.client import ServerError
from speech import Recognizer
from tests.serve.conftest import Running, finals, play


def test_finals_are_the_text_of_the_file_and_the_only_text(server: Running, recognizer: Recognizer, pcm):
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    whole = recognizer.transcribe(samples, language="jpn")
    events = play(server, pcm, piece=16_000, languages=["Japanese"])
    assert "".join(finals(events).split()) == "".join(whole.text.split()) != ""
    texts = [event for event in events if event["type"] == "transcript"]
    assert not any(len(event["words"]) > event["stable"] for event in texts)
    assert {word["lang"] for event in texts for word in event["words"]} == {"jpn"}
    assert {event["written_by"] for event in texts if event["is_final"] and event["text"]} == {"decoder"}
    assert not any(event["type"] == "language" for event in events)


def test_what_may_be_named_is_offered_and_what_nobody_knows_is_refused(server: Running, recognizer: Recognizer, pcm):
    offered = [item["code"] for item in httpx.get(f"{server.http}/web/model.json").json()["languages"]]
    assert offered == list(recognizer.known)
    assert {"jpn", "ukr", "gla"} <= {*offered}
    with pytest.raises(ServerError, match="does not know 'ast'"):
        play(server, pcm, piece=16_000, languages=["ast"])


def test_other_protocols_take_them_too(server: Running, pcm):
    short = pcm[:32_000]
    with connect(f"{server.ws}/v1/listen?encoding=linear16&sample_rate=16000&language=ja") as socket:
        socket.send(short)
        socket.send('{"type":"CloseStream"}')
        assert [json.loads(text)["type"] for text in socket][-1] == "Metadata"
    with connect(f"{server.ws}/vosk?sample_rate=16000&languages=jpn,ukr") as socket:
        socket.send(short)
        socket.send('{"eof":1}')
        assert "text" in [json.loads(text) for text in socket][-1]
    with connect(f"{server.ws}/v1/realtime?intent=transcription") as socket:
        audio = {"input": {"transcription": {"model": "whisper-1", "language": "ja"}}}
        socket.send(json.dumps({"type": "session.update", "session": {"type": "transcription", "audio": audio}}))
        kinds = [json.loads(socket.recv(10))["type"] for _ in range(2)]
        assert kinds == ["session.created", "session.updated"]
