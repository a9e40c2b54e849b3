"""The package as a stranger has it: built into a wheel, installed elsewhere, run outside the clone.

Here its dependencies are those of this environment, put behind it on the path. With `--all` they are installed with it,
into an environment that has nothing: gigabytes, and minutes where they are not in a cache.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from speech.extras import DISTRIBUTION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CLIP = Path(str(files("speech") / "assets" / "clips" / "ast_en_priv-callpending.ogg"))
TEXTS = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".html", ".js", ".json", ".conf", ".service", ".cfg"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    pytest.importorskip("hatchling", reason="needs the group dev")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr[-2000:]
    [found] = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory, pytestconfig) -> Path:
    """Folder of the programs of an environment that has the wheel and the extras `serve` and `train`."""
    folder = tmp_path_factory.mktemp("stranger") / "env"
    venv.create(folder, with_pip=True, symlinks=True)
    programs = folder / "bin"
    if pytestconfig.getoption("--all"):
        what = [f"{wheel}[serve,train]"]
        uv = os.environ.get("UV")  # of `uv run`, with its cache
        python = str(programs / "python")
        command = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    else:
        what = ["--no-deps", "--no-index", str(wheel)]
        command = [str(programs / "python"), "-m", "pip", "install"]
        [packages] = folder.glob("lib/python*/site-packages")
        own = sysconfig.get_paths()
        # Files there that would add more to the path, such as the clone, are not read: only the folder is added.
        (packages / "dependencies.pth").write_text(f"{own['purelib']}\n{own['platlib']}\n")
    ran = subprocess.run([*command, *what], env=surroundings(), capture_output=True, text=True, timeout=1500)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return programs


def surroundings() -> dict[str, str]:
    """Of somebody who has no clone: nothing points into this one."""
    foreign = ("PYTHON", "VIRTUAL_ENV", "SPEECH_", "COVERAGE", "PYTEST")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@pytest.fixture(scope="module")
def address(installed, tmp_path_factory) -> Iterator[str]:
    """`speech serve`, outside the clone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("serving")
    command = [str(installed / "speech"), "serve", "--port", str(port)]
    with (folder / "log").open("w") as log:
        serving = subprocess.Popen(command, cwd=folder, env=surroundings(), stdout=log, stderr=log)
    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1)
                break
            except OSError:
                assert serving.poll() is None, (folder / "log").read_text()[-3000:]
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(timeout=40) == 0


def test_the_wheel_has_every_file_of_its_packages_and_the_licences(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        head = archive.read(metadata).decode()
    for package in ("speech", "serve"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in names
    assert {name.split("/")[0] for name in names} == {"speech", "serve", metadata.split("/")[0]}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert any(name.startswith("speech/assets/clips/licences/") for name in names)
    assert f"\nName: {PROJECT['name']}\n" in head
    assert "\nLicense-Expression: Apache-2.0\n" in head


def test_hints_name_the_distribution_and_nothing_says_to_install_another():
    assert PROJECT["name"] == DISTRIBUTION
    wrong = re.compile(r"(?:pip|uv add|pipx|uvx)\b[^\n]*(?<![\w./-])speech(?:\[|==|['\"\s`]*$)", re.M)
    assert wrong.search("pip install 'speech[ray]'")
    assert wrong.search("pip install speech")
    assert not wrong.search("pip install '.[serve]' speech-ctc")
    for path in ROOT.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(ROOT).parts[:-1])
        if path.suffix in TEXTS and path.is_file() and not hidden and path != Path(__file__):
            found = wrong.search(path.read_text("utf-8"))
            assert found is None, f"{path}: {found and found[0]}"


def test_what_runs_is_the_wheel(installed, tmp_path):
    code = "import json, speech, serve; print(json.dumps([speech.__file__, serve.__file__]))"
    ran = subprocess.run(
        [str(installed / "python"), "-c", code], cwd=tmp_path, env=surroundings(), capture_output=True, check=True
    )
    for place in json.loads(ran.stdout):
        assert Path(place).is_relative_to(installed.parent)


def test_the_demo_runs_outside_the_clone(installed, tmp_path):
    command = [str(installed / "speech"), "demo"]
    ran = subprocess.run(command, cwd=tmp_path, env=surroundings(), capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert re.search(r"8 clips, 6 languages: WER 0\.0", ran.stdout)
    assert len(list((tmp_path / "demo").glob("*.srt"))) == 8


def test_the_server_serves_outside_the_clone(address, installed, tmp_path):
    page = httpx.get(f"http://{address}/")
    assert page.status_code == 200
    assert "<html" in page.text
    form = {"files": {"file": (CLIP.name, CLIP.read_bytes())}, "data": {"model": "embedded"}}
    answer = httpx.post(f"http://{address}/v1/audio/transcriptions", **form, timeout=120)
    assert answer.status_code == 200, answer.text
    assert "caller" in answer.json()["text"]
    command = [str(installed / "speech"), "stream", str(CLIP), "--url", f"ws://{address}/v1/stream", "--pace", "0"]
    ran = subprocess.run(command, cwd=tmp_path, env=surroundings(), capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "caller" in ran.stdout
