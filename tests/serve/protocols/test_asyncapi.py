"""The machine-readable protocol: whole, and true of the messages."""

import json
from pathlib import Path

import jsonschema
import pytest

from serve.protocols import wire
from serve.protocols.asyncapi import document, published_name

WHOLE = document("1")
OFFICIAL = jsonschema.Draft7Validator(
    json.loads((Path(__file__).parent / "data/asyncapi-3.0.0.json").read_text("utf-8"))
)


def references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [r for value in part.values() for r in references(value)]
    return [r for value in part for r in references(value)] if isinstance(part, list) else []


def test_it_is_asyncapi():
    assert [error.message for error in OFFICIAL.iter_errors(WHOLE)] == []
    operations = WHOLE["operations"] | {"say": WHOLE["operations"]["say"] | {"action": "shout"}}
    assert not OFFICIAL.is_valid(WHOLE | {"operations": operations})
    assert not OFFICIAL.is_valid(WHOLE | {"asyncapi": "2.6.0"})


def test_every_reference_leads_somewhere():
    found = references(WHOLE)
    assert len(found) > 40
    for reference in found:
        place: object = WHOLE
        for step in reference.removeprefix("#/").split("/"):
            assert isinstance(place, dict)
            place = place[step]


def test_both_sides_and_audio_are_in_it():
    names = {message["name"] for message in WHOLE["components"]["messages"].values()}
    assert {"start", "stop", "audio", "transcript", "end", "error"} <= names
    said = {r["$ref"].rsplit("/", 1)[-1] for r in WHOLE["operations"]["say"]["messages"]}
    heard = {r["$ref"].rsplit("/", 1)[-1] for r in WHOLE["operations"]["hear"]["messages"]}
    assert not said & heard
    assert said | heard == set(WHOLE["components"]["messages"])


@pytest.mark.parametrize(
    "message",
    [
        wire.Ack(seq=3, received_bytes=10, processed_ms=5, lag_ms=0),
        wire.Error(seq=1, code="a", message="b", fatal=True, retryable=False),
        wire.LanguageMessage(seq=1, at_ms=1, from_=None, to="eng", conf=0.5),
    ],
)
def test_messages_fit_their_schemas(message):
    schema = {"$ref": f"#/components/schemas/{published_name(type(message))}", "components": WHOLE["components"]}
    record = json.loads(wire.render(message))
    jsonschema.validate(record, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record | {"seq": "one"}, schema)
