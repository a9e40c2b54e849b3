"""What a server answers with."""

from types import SimpleNamespace

from serve.sessions.mouth import open_mouth
from speech.dialogue.answers.echo import EchoAnswerer


def test_a_server_answers_if_it_has_answers_and_a_voice():
    some = SimpleNamespace()
    assert open_mouth(None, some, some, some, some, "") is None
    assert open_mouth(EchoAnswerer(), None, some, some, some, "") is None
    mouth = open_mouth(EchoAnswerer(), some, some, some, some, "be brief")
    assert mouth is not None
    assert mouth.instructions == "be brief"
    assert mouth.listening("Mhm.", "eng", 0.9)
    assert mouth.end_of_turn("I think that the", "eng") < mouth.end_of_turn("I am done.", "eng")
