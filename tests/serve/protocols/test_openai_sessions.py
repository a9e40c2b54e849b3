"""Settings of sessions that listen."""

import msgspec
import pytest

from serve.protocols import wire
from serve.protocols.openai_events import InvalidEvent
from serve.protocols.openai_sessions import GivenSession, InputSettings, RealtimeFormat, check_language, either


def changed(**given) -> InputSettings:
    return InputSettings().changed(msgspec.convert(given, GivenSession))


def test_an_update_changes_what_it_names_in_either_form():
    settings = changed(audio={"input": {"format": {"type": "audio/pcmu"}, "transcription": {"language": "de"}}})
    assert settings.format.params() == wire.AudioParams("mulaw", 8000)
    assert settings.languages() == ["de"]
    assert changed(input_audio_format="g711_alaw").format.params() == wire.AudioParams("alaw", 8000)
    again = settings.changed(msgspec.convert({"turn_detection": None}, GivenSession))
    assert again.endpointing() == wire.Endpointing(mode="client")
    assert again.languages() == ["de"]


def test_the_rate_is_told_of_pcm_only():
    assert RealtimeFormat(rate=16_000).to_dict() == {"type": "audio/pcm", "rate": 16_000}
    assert RealtimeFormat("audio/pcma").to_dict() == {"type": "audio/pcma"}


def test_log_probabilities_are_asked_for_by_name():
    assert changed(include=["item.input_audio_transcription.logprobs"]).logprobs
    assert not changed(include=["other"]).logprobs


@pytest.mark.parametrize("name", ["klingon", "fra"])
def test_a_language_that_is_not_known_is_refused_by_name(name):
    check_language("English", ("eng",))
    with pytest.raises(InvalidEvent) as refused:
        check_language(name, ("eng",))
    assert refused.value.param == "session.audio.input.transcription.language"


def test_the_first_that_is_given_counts():
    assert either(msgspec.UNSET, 1) == 1
    assert either(None, 1) is None
