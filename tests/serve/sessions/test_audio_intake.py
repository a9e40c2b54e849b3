"""Bytes become samples, quick ones at once."""

import numpy as np
import pytest

from serve.protocols import wire
from serve.sessions.audio_intake import Intake
from speech.errors import AudioError


def test_samples_in_small_messages_are_quick_and_nothing_else_is():
    plain, packed = Intake(wire.AudioParams()), Intake(wire.AudioParams(encoding="ogg_opus"))
    assert plain.quick(b"\0\0" * 16_000)
    assert not plain.quick(b"\0\0" * 500_000)
    assert not packed.quick(b"O")
    assert not Intake(wire.AudioParams(encoding="auto")).quick(b"\0\0")


def test_what_cannot_be_decoded_is_said_and_not_raised():
    intake = Intake(wire.AudioParams(encoding="mulaw", sample_rate=16_000))
    intake.accept(b"\xff\xff")
    assert (intake.received_bytes, intake.decoding) == (2, True)
    assert np.array_equal(intake.decode(b"\xff\xff"), [0.0, 0.0])
    assert isinstance(Intake(wire.AudioParams()).decode(b"\0"), AudioError)
    with pytest.raises(AudioError):
        Intake(wire.AudioParams(encoding="webm_opus", sample_rate=48_000, channels=3))
