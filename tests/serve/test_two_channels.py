"""A recording of both sides of a dialogue."""

import numpy as np
import pytest
import soundfile

from serve.two_channels import TwoChannels
from speech.errors import FileError


def test_voices_lie_where_they_were_heard(tmp_path):
    both = TwoChannels()
    both.heard(np.full(16_000, 0.25, np.float32))
    both.said(np.full(2400, 0.5, np.float32), 24_000)
    both.said(np.full(2400, 0.5, np.float32), 24_000)
    both.heard(np.zeros(16_000, np.float32))
    both.write(tmp_path / "a.wav")
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert (samples.shape, rate) == ((48_000, 2), 24_000)
    user, voice = samples.T
    assert user[2000:22_000].min() > 0.2
    assert abs(user[26_000:]).max() < 0.01
    assert abs(voice[:24_000]).max() == 0
    assert voice[24_000:28_800].min() > 0.4
    assert abs(voice[28_800:]).max() == 0


def test_what_was_not_played_is_not_there(tmp_path):
    both = TwoChannels()
    both.said(np.full(24_000, 0.5, np.float32), 24_000)
    both.heard(np.zeros(8000, np.float32))
    both.silenced()
    both.heard(np.zeros(8000, np.float32))
    both.said(np.full(240, 0.5, np.float32), 24_000)
    both.write(tmp_path / "a.wav")
    voice = soundfile.read(tmp_path / "a.wav")[0][:, 1]
    assert voice[:12_000].min() > 0.4
    assert abs(voice[12_000:24_000]).max() == 0
    assert voice[24_000:].max() > 0.4


def test_silence_alone_is_a_recording_and_a_file_is_no_folder(tmp_path):
    TwoChannels().write(tmp_path / "a.wav")
    assert soundfile.info(tmp_path / "a.wav").channels == 2
    with pytest.raises(FileError, match="cannot be"):
        TwoChannels().write(tmp_path / "a.wav" / "b.wav")
