"""The wire: strict parsing, schemas, and events of the engine that fit the messages."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.protocols import wire
from serve.protocols.asyncapi import schemas
from speech.events import EndpointEvent, LanguageEvent, ScoreEvent, SpeechEvent, TranscriptEvent, TranslationEvent
from speech.transcript import Word


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{", "not JSON"),
        ("[]", "object"),
        ("{}", "type"),
        ('{"type":"shout"}', "shout"),
        ('{"type":"start","volume":3}', "volume"),
        ('{"type":"start","audio":{"sample_rate":4000}}', "8000"),
        ('{"type":"start","languages":"eng"}', "languages"),
        ('{"type":"update","endpointing":{"silence_ms":1}}', "silence_ms"),
        ('{"type":"resume","session":"a"}', "token"),
        ('{"type":"reference"}', "text"),
        ('{"type":"reference","text":["a"]}', "text"),
        ('{"type":"reference","text":"a","sentence":-1}', "sentence"),
        ('{"type":"reference","text":"a","words":[{"word":"a"}]}', "word"),
        ('{"type":"start","reference":{"txt":"a"}}', "txt"),
        ("[" * 100_000, "object"),
        ('{"type":"start","model":"\\ud800"}', "not JSON"),
    ],
)
def test_what_is_no_message_is_refused_and_says_why(text, wrong):
    with pytest.raises(wire.BadMessage, match=wrong):
        wire.parse(text)


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_anything_is_a_message_or_refused(text):
    try:
        message = wire.parse(text)
    except wire.BadMessage:
        return
    assert isinstance(message, wire.ClientMessage)


@pytest.mark.parametrize(
    "message",
    [
        wire.StartMessage(languages=["eng"], audio=wire.AudioParams(sample_rate=8000)),
        wire.Update(interim="append"),
        wire.Finalize(id="a"),
        wire.KeepAlive(),
        wire.Resume(session="s", token="t", last_seq=3),
        wire.Stop(),
        wire.Reference(text="a <tag b>", languages=["cmn", "eng"], sentence=2),
        wire.StartMessage(reference="a b"),
    ],
)
def test_messages_of_the_client_survive_the_wire(message):
    assert wire.parse(msgspec.json.encode(message).decode()) == message


WORD = Word("a", 0.0, 1.0, 0.5, "eng")


@pytest.mark.parametrize(
    "event",
    [
        TranscriptEvent(
            segment=0, revision=0, is_final=True, text="a", stable=1, words=(WORD,), start_s=0.0, end_s=1.0,
            audio_s=1.2, reason="silence",
        ),
        TranslationEvent(
            segment=0, target="eng", is_final=False, text="a", stable=1, words=(WORD,), start_s=0.0, end_s=1.0,
            audio_s=1.0,
        ),
        LanguageEvent(at_s=1.0, previous=None, language="eng", confidence=0.9),
        SpeechEvent(started=True, at_s=0.3),
        SpeechEvent(started=False, at_s=0.3),
        EndpointEvent(at_s=1.0, speech_end_s=0.7, decided_s=1.2, reason="silence"),
        ScoreEvent(
            is_final=False, segment=0, at_s=1.0, reference_units=3, reference_units_in_all=9, sentences=((0, 1, 3),),
            counts=dict.fromkeys(["wer", "cer", "mer", "switch", "language"], (1, 3)) | {"pier": (0, 0)},
            signature="normalizer:2", missing="no encoder is set",
        ),
    ],
)  # fmt: skip
def test_every_event_of_a_stream_is_a_message(event):
    record = event.to_dict() | ({"lag_ms": 5} if event.type in ("transcript", "translation") else {})
    message = wire.from_record(record)
    assert json.loads(wire.render(message)) == record | {"seq": 1}


def test_schemas_name_all_messages_of_both_sides():
    components = schemas()
    kinds = [part["properties"]["type"] for part in components.values() if "type" in part.get("properties", {})]
    tags = {kind["enum"][0] for kind in kinds}
    assert {"start", "update", "finalize", "keepalive", "resume", "stop", "reference"} <= tags
    assert {"started", "transcript", "end", "error", "ack", "flow", "goaway", "resumed", "score", "referenced"} <= tags
