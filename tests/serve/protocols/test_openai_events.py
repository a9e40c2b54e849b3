"""Client events of OpenAI's realtime protocols are read, or refused by field."""

import base64

import msgspec
import pytest

from serve.protocols import wire
from serve.protocols.openai_events import InvalidEvent, SessionEvents, audio_of, convert, decode, failed, invalid


class Session(msgspec.Struct):
    rate: int


class Update(msgspec.Struct):
    session: Session


@pytest.mark.parametrize(("frame", "code"), [(b"\0\0", "invalid_value"), ("[]", "invalid_json"), ("{", "invalid_json")])
def test_a_frame_that_is_no_object_is_refused(frame, code):
    with pytest.raises(InvalidEvent) as refused:
        decode(frame)
    assert refused.value.code == code
    assert decode('{"type":"x"}') == {"type": "x"}


def test_the_field_that_is_wrong_is_named():
    with pytest.raises(InvalidEvent, match="Expected `int`") as refused:
        convert({"session": {"rate": "fast"}}, Update)
    assert refused.value.param == "session.rate"
    answer = invalid(refused.value, "mine")["error"]
    assert (answer["type"], answer["param"], answer["event_id"]) == ("invalid_request_error", "session.rate", "mine")


def test_audio_is_base64_of_whole_samples_where_samples_have_two_bytes():
    assert audio_of({"audio": base64.b64encode(b"\1\2").decode()}, whole=True) == b"\1\2"
    assert audio_of({"audio": base64.b64encode(b"\1").decode()}, whole=False) == b"\1"
    for audio, said in (("%", "not base64"), ("AA==", "1 bytes are not whole samples")):
        with pytest.raises(InvalidEvent, match=said):
            audio_of({"audio": audio}, whole=True)


def test_errors_of_the_session_say_whose_fault_they_are():
    error = wire.Error(seq=1, code="overloaded", message="try later", fatal=True, retryable=True)
    assert failed(error)["error"]["type"] == "server_error"
    error.retryable, error.param = False, "languages"
    assert failed(error)["error"] == {
        "type": "invalid_request_error", "code": "overloaded", "message": "try later", "param": "languages",
        "event_id": None,
    }  # fmt: skip


def test_events_of_a_session_have_ids_of_their_own():
    events = SessionEvents()
    first, second = (msgspec.json.decode(events.write({"type": "x"})) for _ in range(2))
    assert first["type"] == "x"
    assert first["event_id"] != second["event_id"]
    assert SessionEvents().session != events.session
