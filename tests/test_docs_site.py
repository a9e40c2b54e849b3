"""The documentation: its map of the code names what is there, and its site is built without a warning."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PATHS = sorted(
    set(re.findall(r"\b(?:speech|serve|recipes|tests|conf)/[\w/.]*\w\.py\b|\b(?:speech|serve|conf)/[\w/]*/", MAP))
)
FUNCTIONS = sorted(set(re.findall(r"\b([\w/]+/\w+\.py):(\w+)", MAP)))
FOLDERS = sorted(
    f"{path.parent.relative_to(ROOT)}/"
    for package in ("speech", "serve")
    for pattern in ("*/__init__.py", "*/*/__init__.py")
    for path in (ROOT / package).glob(pattern)
    if path.parent.relative_to(ROOT) != Path("speech/audio/input/formats")
)


def defined(path: Path) -> set[str]:
    """Names of functions and methods of a file."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_map_names_paths_and_functions():
    assert len(PATHS) >= 60
    assert len(FUNCTIONS) >= 50


@pytest.mark.parametrize("path", [path for path in PATHS if "/NAME.py" not in path])
def test_a_path_of_the_map_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("path", "function"), FUNCTIONS)
def test_a_function_of_the_map_exists(path, function):
    assert function in defined(ROOT / path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_map_has_each_folder(folder):
    assert f"`{folder}`" in MAP


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="needs the dependency group `docs`")
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert built.returncode == 0, built.stderr[-5000:]
    for page, said in (("recognizer", "from_pretrained"), ("client", "StreamClient"), ("models", "encode_step")):
        assert said in (site / "api" / page / "index.html").read_text("utf-8")
