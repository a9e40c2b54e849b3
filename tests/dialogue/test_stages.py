"""Where the time of a reply goes."""

from speech.dialogue.stages import STAGES, Stages


def test_stages_count_from_the_end_of_speech_or_else_from_the_decision():
    stages = Stages(speech_end=10.0, final=10.3, endpoint=10.5, token=10.31, sample=10.4, sent=10.5)
    assert stages.to_dict() == {"final": 300, "endpoint": 500, "token": 310, "sample": 400, "sent": 500}
    assert tuple(stages.to_dict()) == STAGES
    assert Stages(endpoint=2.0, token=2.25).to_dict() == {"endpoint": 0, "token": 250}
    assert Stages().to_dict() == {}
