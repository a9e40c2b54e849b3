"""Deepgram's live protocol: its own SDK over a real socket, and message by message."""

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from serve.protocols import wire
from serve.protocols.deepgram import Deepgram, _keyword
from serve.sessions.options import Refused
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from tests.conftest import RARE
from tests.serve.conftest import Running

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # deepgram-sdk 7.17 against websockets 15 and later
    import deepgram.listen.v1.client
    from deepgram.environment import DeepgramClientEnvironment
    from deepgram.listen.v1.socket_client import V1SocketClient
    from deepgram.listen.v1.types import (
        ListenV1Configure,
        ListenV1ConfigureFailure,
        ListenV1ConfigureSuccess,
        ListenV1Error,
        ListenV1Metadata,
        ListenV1Results,
        ListenV1SpeechStarted,
        ListenV1UtteranceEnd,
    )

PCM = {"encoding": "linear16", "sample_rate": 16_000}


@contextmanager
def sdk(server: Running, **options: Any) -> Iterator[V1SocketClient]:
    """A connection of the official client."""
    where = DeepgramClientEnvironment(base=server.http, production=server.ws, agent=server.ws, agent_rest=server.http)
    with deepgram.DeepgramClient(api_key="any", environment=where).listen.v1.connect(
        model="nova-3", **options
    ) as connection:
        yield connection


def play(connection: V1SocketClient, pcm: bytes) -> None:
    for start in range(0, len(pcm), 6400):
        connection.send_media(pcm[start : start + 6400])


def until_a_partial(connection: V1SocketClient) -> Iterator[Any]:
    """Events up to the first words: audio that comes all at once is read in whole parts, and has no partials."""
    for event in connection:
        yield event
        if isinstance(event, ListenV1Results) and text(event):
            return


def text(result: ListenV1Results) -> str:
    return result.channel.alternatives[0].transcript


def joined(events: list[Any]) -> str:
    return " ".join(text(event) for event in events if isinstance(event, ListenV1Results) and event.is_final)


# The official client


def test_the_sdk_hears_the_text_of_the_file(server: Running, pcm, said):
    options = {"interim_results": "true", "vad_events": True, "smart_format": True, "language": "multi", **PCM}
    with sdk(server, utterance_end_ms=1000, **options) as connection:
        connection.send_keep_alive()
        play(connection, pcm[:76_800])
        events = list(until_a_partial(connection))
        play(connection, pcm[76_800:])
        connection.send_close_stream()
        events += list(connection)
    results = [event for event in events if isinstance(event, ListenV1Results)]
    finals = [result for result in results if result.is_final]
    assert joined(events) == said
    assert len(finals) == 2
    assert all(final.speech_final and not final.from_finalize for final in finals)
    assert any(not result.is_final and text(result) for result in results)
    assert [final.start for final in finals] == [0.0, finals[0].duration]
    words = [word for final in finals for word in final.channel.alternatives[0].words]
    assert [word.punctuated_word for word in words] == said.split()
    assert all(len(word.language or "") == 2 for word in words)
    assert results[0].metadata.model_info.name == "embedded"
    assert any(isinstance(event, ListenV1SpeechStarted) for event in events)
    last = events[-1]
    assert isinstance(last, ListenV1Metadata)
    assert last.sha256 == hashlib.sha256(pcm).hexdigest()
    assert last.duration == round(len(pcm) / 32_000, 3)
    assert last.request_id == results[0].metadata.request_id


def test_without_interim_results_there_are_none(server: Running, pcm, said):
    with sdk(server, language=["en", "fr"], **PCM) as connection:
        play(connection, pcm)
        connection.send_close_stream()
        events = list(connection)
    assert {type(event) for event in events} == {ListenV1Results, ListenV1Metadata}
    assert all(event.is_final for event in events[:-1])
    assert joined(events)


@pytest.mark.parametrize("options", [{"keyterm": ["dimanche", "lundi"]}, {"keywords": ["dimanche:1.5", "lundi"]}])
def test_terms_of_the_address_are_preferred(server: Running, recognizer, options):
    samples = load_audio(RARE)
    with sdk(server, language="fr", **PCM, **options) as connection:
        play(connection, to_pcm16(samples))
        connection.send_close_stream()
        assert joined(list(connection)) == "dimanche" != recognizer.transcribe(samples, language="fra").text


@pytest.mark.parametrize(
    ("given", "phrase"),
    [("Ada", "Ada"), ("Ada:1.5", "Ada^1.5"), ("Ada:9", "Ada^2"), ("Ada:0", ""), ("Ada:-2", ""), ("x:y", "x:y")],
)
def test_intensifiers_become_boosts(given, phrase):
    assert _keyword(given) == phrase


def test_a_long_pause_is_the_end_of_an_utterance(server: Running, pcm):
    with sdk(server, interim_results=True, utterance_end_ms=1000, **PCM) as connection:
        play(connection, pcm[:121_600] + bytes(64_000))
        connection.send_close_stream()
        events = list(connection)
    ends = [event.last_word_end for event in events if isinstance(event, ListenV1UtteranceEnd)]
    finals = [event for event in events if isinstance(event, ListenV1Results) and event.is_final]
    assert ends == [finals[-1].channel.alternatives[0].words[-1].end]


def test_finalize_is_always_answered(server: Running, pcm):
    with sdk(server, endpointing=False, **PCM) as connection:
        play(connection, pcm[:60_000])
        connection.send_finalize()
        connection.send_finalize()
        play(connection, pcm[60_000:120_000])
        connection.send_close_stream()
        results = [event for event in connection if isinstance(event, ListenV1Results)]
    assert [result.from_finalize for result in results] == [True, True, False]
    assert text(results[0])
    assert not text(results[1])
    assert results[1].duration < 0.032  # no whole frame
    assert results[2].start == pytest.approx(results[1].start + results[1].duration)


def test_configure_changes_what_can_be_had_and_refuses_the_rest(server: Running, pcm):
    with sdk(server, **PCM) as connection:
        play(connection, pcm[:32_000])
        connection.send_configure(ListenV1Configure(type="Configure", features={"numerals": True}))
        connection.send_configure(ListenV1Configure(type="Configure", keyterms=["word"]))
        connection.send_configure(ListenV1Configure(type="Configure", keyterms=["?!"]))
        for record in ({"language": "fr", "endpointing": 300}, {"language": "klingon"}, {"endpointing": -5}):
            connection._send({"type": "Configure", **record})
        connection._send("no json")
        connection.send_close_stream()
        answers = [event for event in connection if not isinstance(event, ListenV1Results | ListenV1Metadata)]
    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == sorted(
        [ListenV1ConfigureSuccess.__name__] * 3 + [ListenV1ConfigureFailure.__name__] * 2 + [ListenV1Error.__name__] * 2
    )
    codes = {answer.code for answer in answers if isinstance(answer, ListenV1ConfigureFailure)}
    assert codes == {"CONFIGURE_INTERNAL_ERROR"}


def test_an_address_that_is_wrong_is_said(server: Running):
    with sdk(server, encoding="g729", sample_rate=8000) as connection:
        connection.send_media(b"\0\0")
        error = connection.recv()
    assert isinstance(error, ListenV1Error)
    assert "linear16" in error.description


# Message by message


def start(*pairs: tuple[str, str]) -> wire.StartMessage:
    first = Deepgram(pairs, 1000).incoming(b"\0\0")[0]
    assert isinstance(first, wire.StartMessage)
    return first


def test_the_address_describes_the_session():
    opened = start(
        ("encoding", "mulaw"), ("language", "en-US"), ("language", "es,de"), ("interim_results", "true"),
        ("vad_events", "True"), ("endpointing", "10"), ("model", "nova-3"), ("tag", "anything"),
    )  # fmt: skip
    assert opened.audio == wire.AudioParams("mulaw", 8000, 1)
    assert opened.languages == ["en-US", "es", "de"]
    assert (opened.interim, opened.vad_events) == ("revisable", True)
    assert opened.endpointing == wire.Endpointing(silence_ms=100)


def test_a_bare_address_means_a_container_in_any_language():
    opened = start(("language", "multi"))
    assert opened.audio.encoding == "auto"
    assert opened.languages == []
    assert (opened.interim, opened.vad_events) == ("off", False)
    assert opened.endpointing == wire.Endpointing()
    assert start(("language", "multi"), ("language_hint", "en")).languages == ["en"]
    assert start(("endpointing", "false")).endpointing == wire.Endpointing(mode="off")
    assert start(("encoding", "opus")).audio == wire.AudioParams("opus", 48_000, 1)


@pytest.mark.parametrize(
    "pair",
    [
        ("encoding", "flac"),
        ("sample_rate", "many"),
        ("sample_rate", "4000"),
        ("endpointing", "soon"),
        ("channels", "3"),
    ],
)
def test_what_cannot_be_had_is_refused(pair):
    with pytest.raises(Refused) as caught:
        start(pair)
    assert caught.value.close == wire.CloseCode.bad_config


def test_channels_are_not_transcribed_apart():
    with pytest.raises(Refused, match="mixed"):
        start(("channels", "2"), ("multichannel", "true"))


def test_the_first_frame_opens_the_session_whatever_it_is():
    assert [type(message) for message in Deepgram([], 1000).incoming('{"type":"KeepAlive"}')] == [
        wire.StartMessage, wire.KeepAlive,
    ]  # fmt: skip
    with pytest.raises(Refused, match="characters"):
        Deepgram([], 10).incoming(" " * 11)


def word(name: str, start_ms: int) -> wire.WordInfo:
    return wire.WordInfo(name, start_ms, start_ms + 100, 0.5, "eng")


def said_so_far(
    words: list[wire.WordInfo], *, stable: int, final: bool = False, **fields: Any
) -> wire.TranscriptMessage:
    return wire.TranscriptMessage(
        seq=1, segment=0, rev=0, is_final=final, stable=stable, start_ms=0, end_ms=0, lag_ms=0, languages=[],
        text="unused", words=words, **{"audio_ms": 0, **fields},
    )  # fmt: skip


def opened(*pairs: tuple[str, str]) -> Deepgram:
    adapter = Deepgram(pairs, 1000)
    adapter.incoming(b"\0\0")
    return adapter


def heard(adapter: Deepgram, message: wire.ServerMessage) -> list[dict[str, Any]]:
    return [json.loads(text) for text in adapter.outgoing(message)]


def test_parts_of_a_long_utterance_are_final_results_of_their_own():
    adapter = opened(("interim_results", "true"))
    words = [word(name, 1000 * number) for number, name in enumerate("abcd")]
    shown = [
        (
            result["channel"]["alternatives"][0]["transcript"],
            result["is_final"],
            result["speech_final"],
            result["start"],
        )
        for message in (
            said_so_far(words[:1], stable=0, audio_ms=500),
            said_so_far(words[:2], stable=2, audio_ms=2000),
            said_so_far(words[:3], stable=2, audio_ms=2500),
            said_so_far(words, stable=4, final=True, audio_ms=4000, reason="silence"),
        )
        for result in heard(adapter, message)
    ]
    assert shown == [
        ("a", False, False, 0.0), ("a b", True, False, 0.0), ("c", False, False, 2.0), ("c d", True, True, 2.0),
    ]  # fmt: skip


def test_utterance_end_comes_once_after_a_gap_behind_the_last_final_word():
    adapter = opened(("utterance_end_ms", "1000"))

    def ends(message: wire.ServerMessage) -> list[float]:
        return [r["last_word_end"] for r in heard(adapter, message) if r["type"] == "UtteranceEnd"]

    def ack(processed_ms: int) -> wire.Ack:
        return wire.Ack(seq=1, received_bytes=0, processed_ms=processed_ms, lag_ms=0)

    assert ends(said_so_far([word("a", 100)], stable=1, final=True, audio_ms=500)) == []
    assert ends(ack(1100)) == []
    assert ends(ack(1200)) == [0.2]
    assert ends(ack(3000)) == []
    assert ends(said_so_far([word("b", 3000)], stable=1, final=True, audio_ms=3300)) == []
    assert ends(said_so_far([word("c", 3500)], stable=0, audio_ms=4600)) == []
    assert ends(ack(5000)) == []  # a word may still become final
    assert ends(said_so_far([word("c", 3500)], stable=1, final=True, audio_ms=4700)) == [3.6] or ends(ack(5000)) == [
        3.6
    ]
    assert ends(said_so_far([word("d", 9000)], stable=0, audio_ms=9200)) == []


def test_the_end_and_what_comes_too_late_are_silent():
    adapter = opened()
    for message in (
        wire.Alive(seq=1),
        wire.Error(seq=1, code="after_stop", message="", fatal=False, retryable=False),
        wire.SpeechEnded(seq=1, at_ms=1),
    ):
        assert heard(adapter, message) == []
    fatal = wire.Error(seq=1, code="idle", message="nothing was said", fatal=True, retryable=False)
    assert heard(adapter, fatal) == [{"type": "Error", "variant": "idle", "description": "nothing was said"}]
