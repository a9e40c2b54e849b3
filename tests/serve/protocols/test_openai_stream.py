"""A translation over HTTP while it is written: what has been sent stays, and joined it is the text."""

import asyncio
import io
import json
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from openai import OpenAI, Stream
from openai.types.audio import TranscriptionStreamEvent, Translation

from serve.http.errors import Failure
from serve.http.uploads import UploadForm
from serve.protocols.openai_stream import TranslatedFile, deltas, options_of
from speech.audio.input.pcm import to_pcm16
from speech.events import TranslationEvent
from speech.stream.engine import EngineConfig
from tests.serve.conftest import Running, facts, play, until


@pytest.fixture(scope="module")
def talk(speech: np.ndarray) -> np.ndarray:
    """Whole blocks of PCM16."""
    return np.frombuffer(to_pcm16(speech[: len(speech) // 16 * 16]), "<i2")


def wave_of(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def post(server: Running, audio: bytes, **form: str) -> httpx.Response:
    url = f"{server.http}/v1/audio/translations"
    return httpx.post(url, files={"file": ("talk.wav", audio)}, data=form, timeout=120)


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.strip().split("\n\n")]


def test_the_official_client_reads_deltas_whose_text_is_that_of_an_appending_session(server: Running, talk):
    client = OpenAI(api_key="any", base_url=f"{server.http}/v1")
    events = list(
        client.post(
            "/audio/translations",
            cast_to=Translation,
            body={"model": "whisper-1", "stream": True},
            files={"file": ("talk.wav", wave_of(talk))},
            options={"headers": {"Content-Type": "multipart/form-data"}},
            stream=True,
            stream_cls=Stream[TranscriptionStreamEvent],
        )
    )
    assert [event.type for event in events[:-1]] == ["transcript.text.delta"] * (len(events) - 1)
    assert events[-1].type == "transcript.text.done"
    assert len(events) > 3  # there are drafts: two segments alone would give two
    assert "".join(event.delta for event in events[:-1]) == events[-1].text
    heard = play(server, talk.tobytes(), targets=["eng"], translation={"policy": "align_att", "append": True})
    texts = [event["text"] for event in heard if event["type"] == "translation" and event["is_final"]]
    assert events[-1].text == " ".join(text for text in texts if text)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # all of its `audio.translations`
def test_the_official_method_for_translations_has_the_events_as_lines(server: Running, talk):
    client = OpenAI(api_key="any", base_url=f"{server.http}/v1")
    method = client.audio.translations.with_streaming_response.create
    with method(file=("talk.wav", wave_of(talk)), model="whisper-1", extra_body={"stream": True}) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    events = [json.loads(line) for line in lines]
    assert "".join(event.get("delta", "") for event in events) == events[-1]["text"] != ""


def test_another_policy_and_plain_text_are_had_by_the_form(server: Running, talk):
    events = events_of(post(server, wave_of(talk), stream="true", policy="hold_n", n="3", plain="true"))
    assert "".join(event.get("delta", "") for event in events) == events[-1]["text"]
    assert events[-1]["text"] == events[-1]["text"].lower() != ""
    assert events[-1]["usage"] == {"type": "duration", "seconds": round(len(talk) / 16_000)}


def test_a_target_that_is_not_drafted_comes_part_by_part(translating: Running, talk):
    events = events_of(post(translating, wave_of(talk), stream="true", to="es"))
    assert "".join(event.get("delta", "") for event in events) == events[-1]["text"]
    refused = post(translating, wave_of(talk), stream="true", to="es", policy="align_att")
    assert refused.status_code == 400
    assert "which is not among the targets" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("form", "param", "said"),
    [
        ({"stream": "true", "to": "xyz"}, "to", "translates into: eng"),
        ({"stream": "true", "policy": "guess"}, "policy", "Invalid enum value 'guess'"),
        ({"stream": "true", "n": "none"}, "n", "Expected `int | null`"),
        ({"stream": "true", "policy": "wait_k", "latency_ms": "500"}, "policy", "latency_ms is not an option"),
        ({"policy": "wait_k"}, "policy", "for translations with stream=true"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(server: Running, talk, form, param, said):
    answer = post(server, wave_of(talk[:16_000]), **form)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert said in error["message"]


def test_what_is_no_audio_has_a_status_and_no_events(server: Running):
    answer = post(server, b"no audio at all", stream="true")
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "bad_audio"


def test_audio_that_breaks_behind_some_text_ends_with_an_error_that_the_official_client_raises():
    async def run() -> list[str]:
        file, left = TranslatedFile(asyncio.get_running_loop()), []
        work: Future[float] = Future()
        work.set_exception(ValueError("broken"))
        file.put("In ")
        file.put(work)
        first = await file.next()
        found = [
            one async for one in file.events(first, lambda e: Failure(500, "internal", str(e)), lambda: left.append(1))
        ]
        assert left == [1]
        return found

    first, last = asyncio.run(run())
    assert json.loads(first.removeprefix("data: ")) == {"type": "transcript.text.delta", "delta": "In "}
    assert last.startswith("event: error\ndata: ")
    assert json.loads(last.partition("data: ")[2])["error"]["message"] == "broken"


def test_a_client_that_goes_frees_its_place(server: Running, talk):
    api_places = next(
        route.endpoint.__self__.places
        for route in server.server.config.app.routes
        if getattr(route, "path", "") == "/v1/audio/translations"
    )
    files = {"file": ("talk.wav", wave_of(np.tile(talk, 20)))}
    url = f"{server.http}/v1/audio/translations"
    with httpx.stream("POST", url, files=files, data={"stream": "true"}, timeout=120) as answer:
        lines = answer.iter_lines()  # an iterator that is dropped closes the connection
        assert "transcript.text.delta" in next(lines)
        assert len(api_places) == 1
    asyncio.run(until(lambda: len(api_places) == 0))


def test_deltas_do_not_depend_on_the_blocks_and_nothing_is_taken_back(recognizer, talk):
    samples = talk.astype(np.float32) / 32768
    options = options_of(facts(), UploadForm(io.BytesIO(), "talk.wav", {}), "eng", plain=False)

    def written(size: int) -> list[str]:
        blocks = (samples[start : start + size] for start in range(0, len(samples), size))
        return [
            item
            for item in deltas(recognizer.engine(EngineConfig(int8=False)), blocks, options)
            if isinstance(item, str)
        ]

    assert written(32_000) == written(5_000)
    session = recognizer.engine(EngineConfig(int8=False)).open(options)
    events = [event for event in [*session.accept(samples), *session.finish()] if isinstance(event, TranslationEvent)]
    assert all(event.stable == len(event.words) for event in events)
    for before, after in pairwise(events):
        assert before.segment != after.segment or after.text.startswith(before.text)
