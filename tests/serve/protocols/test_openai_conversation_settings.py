"""Settings of sessions that answer."""

import msgspec
import pytest

from serve.protocols import wire
from serve.protocols.openai_conversation_settings import ConversationSettings, GivenConversation
from serve.protocols.openai_events import InvalidEvent
from speech.errors import ConfigError

FIND = {"type": "function", "name": "find", "description": "Finds.", "parameters": {"type": "object"}}
TELL = {"type": "function", "name": "tell"}


def choose(name: str, language: str) -> str:
    if name not in ("marin", "ann"):
        raise ConfigError(f"there is no voice {name!r}")
    return f"{name}_{language}"


def changed(before: ConversationSettings | None = None, **given) -> ConversationSettings:
    return (before or ConversationSettings()).changed(msgspec.convert(given, GivenConversation), choose)


def turns(**given) -> ConversationSettings:
    return changed(audio={"input": {"turn_detection": given}})


def test_a_session_that_asks_for_nothing_answers_after_half_a_second():
    usual = ConversationSettings().dialogue()
    assert (usual.automatic, usual.turn_model, usual.forgets) == (True, False, False)
    assert (usual.sure_pause_ms, usual.pause_ms, usual.doubtful_pause_ms) == (500, 500, 500)
    assert ConversationSettings().endpointing() == wire.Endpointing(silence_ms=500)


def test_settings_become_those_of_the_dialogue():
    output = {"voice": {"id": "marin"}, "speed": 1.2, "format": {"type": "audio/pcma"}}
    given = {"instructions": "Be kind.", "tools": [FIND], "audio": {"output": output}}
    settings = changed(**given, output_modalities=["audio"])
    dialogue = settings.dialogue()
    assert (dialogue.voice, dialogue.rate, dialogue.instructions) == ("marin_eng", 1.2, "Be kind.")
    function = {"name": "find", "description": "Finds.", "parameters": {"type": "object"}}
    assert dialogue.tools == [{"type": "function", "function": function}]
    assert settings.output_format.params() == wire.AudioParams("alaw", 8000)
    kept = changed(settings, audio={"input": {"transcription": {"language": "de"}}})
    assert (kept.instructions, kept.our_voice, kept.tools) == ("Be kind.", "marin_de", settings.tools)
    assert changed(settings, instructions=None, tools=None, voice=None) == ConversationSettings(
        output_format=settings.output_format, speed=1.2
    )


def test_the_beta_has_its_own_form():
    settings = changed(
        modalities=["text", "audio"], voice="ann", output_audio_format="g711_ulaw", turn_detection=None, speed=0.5
    )
    assert (settings.our_voice, settings.output_format.type, settings.speed) == ("ann_eng", "audio/pcmu", 0.5)
    assert not settings.automatic


def test_pauses_are_those_of_the_turn_detection():
    server = turns(type="server_vad", silence_duration_ms=700)
    assert server.pauses() == (700, 700, 700)
    low, high = (turns(type="semantic_vad", eagerness=eagerness) for eagerness in ("low", "high"))
    assert low.dialogue().turn_model
    assert all(a > b for a, b in zip(low.pauses(), high.pauses(), strict=True))
    assert low.endpointing() == wire.Endpointing(silence_ms=low.pauses()[0])


def test_speech_interrupts_unless_it_may_not():
    assert ConversationSettings().dialogue().interruptible
    assert turns(type="server_vad", create_response=False).dialogue().interruptible
    assert not turns(type="server_vad", interrupt_response=False).dialogue().interruptible
    assert not changed(audio={"input": {"turn_detection": None}}).dialogue().interruptible


def test_a_client_may_ask_for_each_response_itself():
    vad = turns(type="server_vad", silence_duration_ms=300, create_response=False)
    assert not vad.dialogue().automatic
    assert vad.endpointing() == wire.Endpointing(silence_ms=300)
    manual = changed(audio={"input": {"turn_detection": None}})
    assert not manual.dialogue().automatic
    assert manual.endpointing() == wire.Endpointing(mode="client")


@pytest.mark.parametrize(
    ("choice", "names"),
    [("auto", ["find", "tell"]), ("required", ["find", "tell"]), ("none", []), ({"name": "tell"}, ["tell"])],
)
def test_functions_that_may_be_called(choice, names):
    dialogue = changed(tools=[FIND, TELL], tool_choice=choice).dialogue()
    assert [tool["function"]["name"] for tool in dialogue.tools] == names


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"audio": {"output": {"voice": "nobody"}}}, "session.audio.output.voice"),
        ({"output_modalities": ["text"]}, "session.output_modalities"),
        ({"modalities": []}, "session.output_modalities"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(given, param):
    with pytest.raises(InvalidEvent) as refused:
        changed(**given)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "given",
    [
        {"tools": [{"type": "mcp", "name": "x"}]},
        {"tools": [{"name": ""}]},
        {"tools": [TELL] * 129},
        {"instructions": "a" * 20_001},
        {"audio": {"output": {"speed": 0.4}}},
        {"output_audio_format": "mp3"},
    ],
)
def test_what_is_out_of_range_is_no_setting(given):
    with pytest.raises(msgspec.ValidationError):
        changed(**given)


def test_the_session_object_says_what_is_in_effect():
    told = changed(tools=[FIND], audio={"output": {"voice": "marin"}}).to_dict("sess_1", "gpt-realtime")
    assert (told["id"], told["model"], told["tools"]) == ("sess_1", "gpt-realtime", [FIND])
    assert told["audio"]["output"]["voice"] == "marin"
    assert told["audio"]["input"]["turn_detection"]["interrupt_response"] is True
    assert changed(turn_detection=None).to_dict("s", "m")["audio"]["input"]["turn_detection"] is None
