"""Playing through real pipes to real programs: what they get, their failures, and stopping."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import ModuleType

import numpy as np
import pytest

from speech.audio import playback
from speech.audio.output import int16_samples
from speech.audio.playback import Player, check_player
from speech.errors import AudioError, ConfigError
from tests.audio.players import player

RATE = 8000
NOISE = np.random.default_rng(0).uniform(-1, 1, 3 * RATE).astype(np.float32)


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """Only the programs of a test are there, and the few that they are made of."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    monkeypatch.setattr(playback, "find_spec", lambda name: None)
    monkeypatch.setattr(
        playback.shutil, "which", lambda name: str(found) if (found := tmp_path / "bin" / name).exists() else None
    )
    return tmp_path / "bin"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ffplay", "-v error -nodisp -autoexit -f s16le -sample_rate 8000 -i pipe:0"),
        ("aplay", "-q -t raw -f S16_LE -c 1 -r 8000 -"),
        ("paplay", "--raw --format=s16le --channels=1 --rate=8000"),
        ("pw-play", "--raw --format=s16 --channels=1 --rate=8000 -"),
    ],
)
def test_a_program_gets_all_samples_in_order(path, name, arguments):
    heard = player(path, name)
    with Player(RATE) as one:
        for piece in np.split(NOISE, [1, 1, 5000, 5800, 20_000]):
            one.write(piece)
    assert heard.read_bytes() == int16_samples(NOISE).tobytes()
    assert (path / "arguments").read_text() == f"{path / name} {arguments}\n"


def test_the_first_program_that_is_there_is_taken(path):
    heard = player(path, "paplay")
    player(path, "pw-play", "exit 1")
    with Player(RATE) as one:
        one.write(NOISE)
    assert heard.exists()


def test_a_slow_program_is_fed_while_more_is_made(path):
    heard = player(path, script="head -c 100 > {folder}/first; sleep 0.5; cat > {folder}/heard")
    with Player(RATE) as one:
        one.write(NOISE)
        assert not heard.exists()
    assert heard.read_bytes()
    assert (path / "first").read_bytes() == int16_samples(NOISE).tobytes()[:100]


def test_no_more_waits_than_may(path, monkeypatch):
    monkeypatch.setattr(playback, "AHEAD_S", 0.5)
    player(path, script="while [ ! -e {folder}/go ]; do sleep 0.05; done; cat > {folder}/heard")
    done = threading.Event()
    with Player(RATE) as one:

        def make() -> None:
            one.write(np.tile(NOISE, 20))  # more than pipe and queue hold
            done.set()

        thread = threading.Thread(target=make)
        thread.start()
        assert not done.wait(0.5)
        (path / "go").touch()
        thread.join(30)
        assert done.is_set()
    assert (path / "heard").read_bytes() == int16_samples(np.tile(NOISE, 20)).tobytes()


@pytest.mark.parametrize("script", ["echo no device >&2; exit 3", "head -c 10 > /dev/null; echo no device >&2; exit 3"])
def test_a_program_that_fails_is_named(path, script):
    player(path, script=script)
    with (
        pytest.raises(AudioError, match=r"^aplay: ended with exit code 3 before all was played: no device$"),
        Player(RATE) as one,
    ):
        one.write(np.tile(NOISE, 20))


def test_a_program_that_ends_early_without_an_error_is_one(path):
    player(path, script="exit 0")
    with pytest.raises(AudioError, match="ended with exit code 0 before all was played"), Player(RATE) as one:
        one.write(np.tile(NOISE, 20))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_stops_the_program_at_once(path, error):
    player(path, script="echo $$ > {folder}/pid; exec sleep 100")

    def play() -> None:
        with Player(RATE) as one:
            one.write(np.tile(NOISE, 10))
            until = time.monotonic() + 20
            while not ((path / "pid").exists() and (path / "pid").read_text()) and time.monotonic() < until:
                time.sleep(0.01)
            raise error

    with pytest.raises(error):
        play()
    with pytest.raises(ProcessLookupError):
        os.kill(int((path / "pid").read_text()), 0)
    assert "playback" not in [thread.name for thread in threading.enumerate()]


def test_without_a_program_it_is_said_what_is_missing():
    with pytest.raises(ConfigError, match=r"none of ffplay, aplay, paplay, pw-play\. Install FFmpeg"):
        check_player()
    with pytest.raises(ConfigError, match="nothing here can play"):
        Player(RATE)


made = []


class Output:
    """The output stream of a package sounddevice."""

    def __init__(self, **options) -> None:
        self.options, self.calls, self.heard = options, [], b""
        made.append(self)

    def write(self, samples: bytes) -> None:
        self.heard += samples

    def __getattr__(self, name: str):
        return lambda: self.calls.append(name)


def test_the_package_sounddevice_is_preferred(path, monkeypatch):
    player(path, script="exit 1")
    module = ModuleType("sounddevice")
    module.RawOutputStream, module.PortAudioError = Output, RuntimeError
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(playback, "find_spec", lambda name: name)
    with Player(RATE) as one:
        one.write(NOISE)
    [one] = made
    assert one.options == {"samplerate": RATE, "channels": 1, "dtype": "int16"}
    assert one.heard == int16_samples(NOISE).tobytes()
    assert one.calls == ["start", "stop", "abort", "close"]

    def refused(**_):
        raise RuntimeError("no device")

    module.RawOutputStream = refused
    with pytest.raises(AudioError, match="the loudspeaker: cannot be opened: no device"):
        Player(RATE)
