"""Every command of the README runs, as it is written there."""

import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import soundfile
from published import write_published

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.S)
COMMANDS = [
    line.split("  #")[0].strip() for _, block in BLOCKS for line in block.splitlines() if line.startswith("uv run")
]
SERVING = [command for command in COMMANDS if re.search("speech (serve|stream)", command)]
SHORT = [
    "debug=default",
    "evaluate=false",
    "data.batches.batch_s=12.0",
    "data.batches.max_s=8.0",
    "data.batches.concatenate_max_s=8.0",
    "trainer.progress=false",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with what the examples name."""
    folder = tmp_path_factory.mktemp("readme")
    clip = Path(str(files("speech") / "assets" / "clips" / "ast_en_priv-callpending.ogg"))
    samples, rate = soundfile.read(clip)
    (folder / "recordings").mkdir()
    for name in ("talk.wav", "recordings/one.wav", "recordings/two.flac", "song.mp3"):
        soundfile.write(folder / name, samples, rate)
    soundfile.write(folder / "talk.pcm", samples, rate, format="RAW", subtype="PCM_16")
    (folder / "talk.txt").write_text("I have a caller waiting, who introduces themselves as", "utf-8")
    for name in ("recipes", "conf", "corpus"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "corpus", folder / "CORPUS")
    shutil.copy(ROOT / "corpus" / "test.jsonl", folder / "ours.jsonl")  # what was recognised has the ids of a manifest
    write_published(folder / "espnet" / "owsm_ctc_v4_1B")  # a directory comes before the hub
    return folder


@pytest.fixture(scope="module")
def port(place) -> Iterator[int]:
    """The server of the README, on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    serving = subprocess.Popen([sys.executable, "-m", "speech.cli.app", "serve", "--port", str(number)], cwd=place)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{number}/health/ready", timeout=1)
                break
            except OSError:
                assert serving.poll() is None, "the server has stopped"
                time.sleep(0.1)
        yield number
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(timeout=40) == 0


def as_run_here(command: str, place: Path) -> list[str]:
    """The words of a command with this environment's Python instead of uv's."""
    words = shlex.split(command)[2:]
    while words[0].startswith("--"):
        words = words[2:]
    if words[:2] == ["speech", "stream"]:
        return [sys.executable, "-m", "speech.cli.app", *words[1:]]
    if words[0] == "speech":
        expanded = [str(path) for word in words[1:] for path in (sorted(place.glob(word)) if "*" in word else [word])]
        return [sys.executable, "-m", "speech.cli.app", *expanded]
    assert words[0] == "python"
    words = [sys.executable, *words[1:]]
    if "--cfg" in words or words[1].endswith("prepare.py"):
        return words
    if "owsm_ctc" not in words[1]:  # where it writes is where the next command looks
        return [*words, *SHORT]
    return [*words, *SHORT, f"output={place / 'run'}{len(list(place.glob('run*')))}", "init=embedded"]


def test_there_are_commands():
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in SERVING])
def test_a_command_of_the_readme_runs(command, place):
    ran = subprocess.run(as_run_here(command, place), cwd=place, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, f"{ran.stdout[-1000:]}\n{ran.stderr[-3000:]}"
    assert ran.stdout.strip() or ran.stderr.strip()


def test_the_live_commands_of_the_readme_run(place, port):
    live = [command for command in SERVING if "speech serve" not in command]
    assert len(live) == len(SERVING) - 1 == 1
    words = [*as_run_here(live[0], place), "--url", f"ws://127.0.0.1:{port}/v1/stream", "--pace", "0"]
    ran = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "caller" in ran.stdout


def test_the_python_of_the_readme_runs(place, port):
    scripts = [block for kind, block in BLOCKS if kind == "python"]
    assert scripts
    for script in scripts:
        script = script.replace(":8000", f":{port}")
        ran = subprocess.run([sys.executable, "-c", script], cwd=place, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr[-3000:]
        assert ran.stdout.strip()
