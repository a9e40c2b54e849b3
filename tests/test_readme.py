"""Every command of the README runs, as it is written there."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import soundfile

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.S)
COMMANDS = [
    line.split("  #")[0].strip() for _, block in BLOCKS for line in block.splitlines() if line.startswith("uv run")
]
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
    (folder / "talk.txt").write_text("I have a caller waiting, who introduces themselves as", "utf-8")
    for name in ("recipes", "conf", "corpus"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "corpus", folder / "CORPUS")
    return folder


def as_run_here(command: str, place: Path) -> list[str]:
    """The words of a command with this environment's Python instead of uv's."""
    words = shlex.split(command)[2:]
    while words[0].startswith("--"):
        words = words[2:]
    if words[0] == "speech":
        expanded = [str(path) for word in words[1:] for path in (sorted(place.glob(word)) if "*" in word else [word])]
        return [sys.executable, "-m", "speech.cli.app", *expanded]
    assert words[0] == "python"
    words = [sys.executable, *words[1:]]
    if "--cfg" in words:
        return words
    return [*words, *SHORT, f"output={place / 'run'}{len(list(place.glob('run*')))}", "init=embedded"]


def test_there_are_commands():
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_runs(command, place):
    ran = subprocess.run(as_run_here(command, place), cwd=place, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, f"{ran.stdout[-1000:]}\n{ran.stderr[-3000:]}"
    assert ran.stdout.strip() or (place / "subtitles").is_dir()


def test_the_python_of_the_readme_runs(place):
    scripts = [block for kind, block in BLOCKS if kind == "python"]
    assert scripts
    for script in scripts:
        ran = subprocess.run([sys.executable, "-c", script], cwd=place, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr[-3000:]
        assert ran.stdout.strip()
