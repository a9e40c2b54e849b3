"""Every command of the README runs, as it is written there, and does what is said beside it."""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
import soundfile

from speech import Recognizer
from speech.cli.app import main
from speech.tts.watermark import Watermarker
from tests.published import write_published

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
KEYS = {"path", "duration", "language", "language_probability", "task", "text", "words"}


@dataclass(frozen=True)
class Ran:
    """What a command has done."""

    words: list[str]
    place: Path
    code: int
    out: str
    err: str


def says_the_clip(ran: Ran) -> None:
    assert "caller" in ran.out


def writes_subtitles(ran: Ran) -> None:
    for name in ("one", "two"):
        assert " --> " in (ran.place / "subtitles" / f"{name}.srt").read_text("utf-8")


def prints_objects(ran: Ran) -> None:
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [Path(row["path"]).name for row in rows] == ["song.mp3"]
    assert set(rows[0]) == KEYS
    assert rows[0]["language"] == "deu"


def reads_many_files(ran: Ran) -> None:
    assert "2 done" in ran.err
    for name in ("one", "two"):
        assert "caller" in (ran.place / "texts" / f"{name}.txt").read_text("utf-8")


def says_when_each_word_is_said(ran: Ran) -> None:
    said = (ran.place / "talk.txt").read_text("utf-8").lower()
    words = json.loads(ran.out)["words"]
    assert [word["text"] for word in words] == re.findall(r"\w+", said)
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= 3.9


def names_the_languages_of_the_model(ran: Ran) -> None:
    for word in ("encoder", "parameters", "eng", "deu", "fra"):
        assert word in ran.out


def makes_a_checkpoint(ran: Ran) -> None:
    assert (ran.place / ran.words[-1] / "model.safetensors").is_file()


def makes_a_graph_of_onnx(ran: Ran) -> None:
    assert list(ran.place.rglob("*.onnx"))


def shows_the_configuration(ran: Ran) -> None:
    for key in ("model:", "optimizer:", "trainer:"):
        assert key in ran.out


def trains(ran: Ran) -> None:
    folder = next(Path(word.removeprefix("output=")) for word in ran.words if word.startswith("output="))
    assert (folder / "model" / "model.safetensors").is_file()
    assert (folder / "metrics.jsonl").read_text("utf-8").count("\n") >= 1
    assert (folder / "learning_curve.png").is_file()


def makes_an_adapter(ran: Ran) -> None:
    assert list((ran.place / "runs" / "language_adapters" / "adapters").glob("ita*.safetensors"))


def lists_adapters(ran: Ran) -> None:
    assert "adapters" in ran.out


def scores(ran: Ran) -> None:
    for name in ("WER", "CER", "MER", "SAER"):
        assert re.search(rf"{name}\W+0\.000", ran.out)  # what was recognised is the reference
    report = (ran.place / "report.html").read_text("utf-8")
    assert "<html" in report
    assert "WER" in report


def says_a_sentence(ran: Ran) -> None:
    words = [word["text"] for word in json.loads((ran.place / "morning.json").read_text("utf-8"))["words"]]
    assert words[:2] == ["Good", "morning"]
    heard = Recognizer.from_pretrained().transcribe(ran.place / "morning.wav", language="eng").text
    assert "the train to the city leaves at" in heard.lower()
    assert Watermarker.from_pretrained("embedded-watermark").detect(*soundfile.read(ran.place / "morning.wav")).marked


def answers_aloud(ran: Ran) -> None:
    user, voice = soundfile.read(ran.place / "both.wav")[0].T
    assert abs(user).max() > 0.05
    assert abs(voice).max() > 0.05
    assert "caller" in ran.out


def is_heard_in_english(ran: Ran) -> None:
    said = Recognizer.from_pretrained().transcribe(ran.place / "english.wav", language="eng")
    assert len(said.text.split()) > 3
    assert {word.lower().strip(".,") for word in said.text.split()} & {"the", "a", "in", "of", "is", "and"}


PROMISES: list[tuple[str, Callable[[Ran], None]]] = [
    (r"speech transcribe recordings/ --format srt", writes_subtitles),
    (r"speech transcribe recordings/ .*--engine local", reads_many_files),
    (r"speech transcribe .*--format jsonl", prints_objects),
    (r"speech transcribe .*--model owsm_ctc_v4_1B", lambda ran: None),  # of random weights
    (r"speech transcribe talk.wav", says_the_clip),
    (r"speech align", says_when_each_word_is_said),
    (r"speech models", names_the_languages_of_the_model),
    (r"speech import", makes_a_checkpoint),
    (r"speech export", makes_a_graph_of_onnx),
    (r"owsm_ctc/train.py --cfg job", shows_the_configuration),
    (r"owsm_ctc/train.py", trains),
    (r"language_adapters/train.py", makes_an_adapter),
    (r"speech adapters list", lists_adapters),
    (r"speech score", scores),
    (r"speech say", says_a_sentence),
    (r"speech converse", answers_aloud),
    (r"speech interpret", is_heard_in_english),
]
"""The first pattern that a command matches says what it has to have done."""


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
    samples, rate = soundfile.read(Path(str(files("speech") / "assets" / "clips" / "kerstin_de_rhasspy-2423.ogg")))
    soundfile.write(folder / "rede.wav", samples, rate)
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


def parted(command: str) -> tuple[list[str], list[str]]:
    """The extras that a command asks for, and its words behind `uv run`."""
    words, extras = shlex.split(command)[2:], []
    while words[0] == "--extra":
        extras.append(words[1])
        words = words[2:]
    return extras, words


def recipe_as_run_here(words: list[str], place: Path) -> list[str]:
    """The words of a recipe, with this environment's Python, for a run of seconds."""
    assert words[0] == "python"
    words = [sys.executable, *words[1:]]
    if "--cfg" in words or words[1].endswith("prepare.py"):
        return words
    if "owsm_ctc" not in words[1]:  # where it writes is where the next command looks
        return [*words, *SHORT]
    return [*words, *SHORT, f"output={place / 'run'}{len(list(place.glob('run*')))}", "init=embedded"]


def test_there_are_commands_and_each_extra_exists():
    assert len(COMMANDS) >= 8
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for command in COMMANDS:
        extras, words = parted(command)
        assert set(extras) <= set(known), command
        assert not words[0].startswith("-"), command


@pytest.mark.filterwarnings("default")  # as a user's
@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in SERVING])
def test_a_command_of_the_readme_does_what_it_says(command, place, monkeypatch, capfd):
    promise = next((check for pattern, check in PROMISES if re.search(pattern, command)), None)
    assert promise is not None, "say in PROMISES what it has to have done"
    _, words = parted(command)
    if words[0] == "speech":  # in this process, which has loaded all that takes seconds to load
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as left:
            main()
        captured = capfd.readouterr()
        ran = Ran(words, place, int(left.value.code or 0), captured.out, captured.err)
    else:
        words = recipe_as_run_here(words, place)
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=300)
        ran = Ran(words, place, done.returncode, done.stdout, done.stderr)
    assert ran.code == 0, f"{ran.out[-1000:]}\n{ran.err[-3000:]}"
    promise(ran)


def test_the_live_commands_of_the_readme_run(place, port):
    live = [command for command in SERVING if "speech serve" not in command]
    assert len(live) == len(SERVING) - 1 == 1
    words = [sys.executable, "-m", "speech.cli.app", *parted(live[0])[1][1:]]
    words += ["--url", f"ws://127.0.0.1:{port}/v1/stream", "--pace", "0"]
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
        assert "caller" in ran.stdout
