"""The shape of the code base: imports go down, files and functions stay short, every module has its test."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "speech").rglob("*.py"))
SERVE = sorted((ROOT / "serve").rglob("*.py"))
PRODUCT = [*MODULES, *SERVE, *sorted((ROOT / "recipes").rglob("*.py"))]
FLOORS = [
    {"compiled", "vector_math", "errors", "chunking", "choices", "extras"},
    {"files", "ranges"},
    {"tensors"},
    {"audio", "text"},
    {"transcript", "events"},
    {"nn", "decode", "data", "metrics"},
    {"models"},
    {"recognize"},
    {"stream", "train"},
    {"recognizer"},
    {"batch"},
    {"cli"},
]
MODELS = {"speech.models.owsm_ctc", "speech.models.whisper"}
"""Modules with a class of a model: others read `speech.models.base`."""
LEAVES = {"errors", "chunking", "choices", "extras", "files", "ranges", "transcript"}
FORBIDDEN = {"utils", "helpers", "common", "misc"}
DATA_ONLY = {"language_table.py"}
TESTED_BY = {
    "parity/test_k2": "decode/graph/k2_graph decode/graph/k2_search",
    "serve/sessions/test_live": "serve/engine/commands",
}
"""Test files of several modules: these have none of their own name."""
TESTED_ELSEWHERE = {module: test for test, modules in TESTED_BY.items() for module in modules.split()}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def package(path: Path) -> str:
    return path.relative_to(ROOT / "speech").parts[0].removesuffix(".py")


def imported(path: Path) -> list[tuple[str, ast.stmt]]:
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", node))
    return found


@pytest.mark.parametrize("path", [m for m in MODULES if m.name != "__init__.py"], ids=str)
def test_imports_only_go_down(path):
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    for name, _ in imported(path):
        parts = name.split(".")
        assert parts[0] not in {"serve", "recipes"}, f"{path} imports {name}"
        if parts[0] != "speech" or len(parts) < 2 or parts[1] == package(path):
            continue
        lower = floor[parts[1]] < floor[package(path)] or parts[1] in LEAVES
        # Log-mel and augmentation are leaves too: the sampling rate is a fact of audio.io alone.
        assert lower, f"{path} imports {name}, which is not below it"


@pytest.mark.parametrize("path", PRODUCT, ids=str)
def test_files_and_functions_are_short_and_silent(path):
    assert path.stem not in FORBIDDEN
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= 400 or path.name in DATA_ONLY, f"{lines} lines"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 80, f"{node.name} is longer than a screen"
            inner = [n for n in ast.walk(node) if isinstance(n, ast.ImportFrom)]
            assert not any((n.module or "").startswith("speech") for n in inner), f"{node.name} imports speech"
            if node.name == "__init__":
                assert len(node.args.args) + len(node.args.kwonlyargs) <= 13, "use a dataclass"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"print in line {node.lineno}"
    uses_hydra = any(name.split(".")[0] in {"hydra", "omegaconf"} for name, _ in imported(path))
    assert not uses_hydra or path.name in ("schema.py", "training.py")


@pytest.mark.parametrize("path", [*PRODUCT, *sorted((ROOT / "benchmarks").rglob("*.py"))], ids=str)
def test_models_are_known_by_their_protocols(path):
    """Except where they are made and stored, and where they are trained."""
    if not any(path.is_relative_to(ROOT / "speech" / package) for package in ("models", "train")):
        assert not {name for name, _ in imported(path)} & MODELS
        assert "OwsmCtc" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", SERVE, ids=str)
def test_the_server_does_not_know_the_recipes(path):
    assert not [name for name, _ in imported(path) if name.split(".")[0] in {"recipes", "hydra"}]


@pytest.mark.parametrize("path", [m for m in [*MODULES, *SERVE] if m.name != "__init__.py"], ids=str)
def test_every_module_has_a_test_file(path):
    name = str(path.relative_to(ROOT).with_suffix("")).removeprefix("speech/")
    folder, _, stem = name.rpartition("/")
    test = TESTED_ELSEWHERE.get(name, f"{folder}/test_{stem}" if folder else f"test_{stem}")
    assert (ROOT / "tests" / f"{test}.py").is_file(), f"expected tests/{test}.py"
