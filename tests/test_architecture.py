"""The shape of the code base: imports go down, files, classes and functions stay short, every module has its test."""

import ast
import re
import sys
import tomllib
from collections import Counter
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "speech").rglob("*.py"))
SERVE = sorted((ROOT / "serve").rglob("*.py"))
PRODUCT = [*MODULES, *SERVE, *sorted((ROOT / "recipes").rglob("*.py"))]
FLOORS = [
    {"compiled", "vector_math", "errors", "chunking", "choices", "extras"},
    {"files", "ranges", "chat_requests"},
    {"tensors"},
    {"audio", "text"},
    {"transcript", "events"},
    {"nn", "decode", "translate", "data", "metrics"},
    {"models"},
    {"recognize", "tts"},
    {"stream", "train", "dialogue", "interpret"},
    {"recognizer", "speaker"},
    {"interpreting"},
    {"batch"},
    {"cli"},
]
MODELS = {"speech.models.owsm_ctc", "speech.models.whisper"}
"""Modules with a class of a model: others read `speech.models.base`."""
LEAVES = {"errors", "chunking", "choices", "extras", "files", "ranges", "transcript"}
FORBIDDEN = {"utils", "helpers", "common", "misc"}
DATA_ONLY = {"language_table.py"}
TESTED_BY = {
    "decode/words/test_alignment": "decode/words/alignment_kernels",
    "metrics/edit/test_runs": "metrics/edit/run_kernels",
    "recognize/test_label_pass": "recognize/label_candidates recognize/label_times",
    "serve/sessions/test_live": "serve/sessions/ending serve/sessions/event_messages serve/sessions/flow",
    "serve/sessions/test_registry": "serve/sessions/attached serve/sessions/driver",
    "serve/protocols/test_wire": "serve/protocols/option_messages",
    "stream/test_engine": "stream/commands stream/slot",
    "stream/test_session": "stream/event_writer",
    "train/asr/test_run": "train/loop/module",
    "tts/text_front_end/test_ssml": "tts/text_front_end/say_as tts/text_front_end/ssml_block "
    "tts/text_front_end/ssml_elements",
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
        assert lower, f"{path} imports {name}, which is not below it"


def rings(graph: dict[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, by way of others or not: Tarjan's strongly connected components."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    waiting: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        waiting.append(name)
        for other in sorted(graph[name]):
            if other not in order:
                visit(other)
            if other in waiting:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == order[name]:
            ring = waiting[waiting.index(name) :]
            del waiting[-len(ring) :]
            if len(ring) > 1:
                found.append(sorted(ring))

    for name in graph:
        if name not in order:
            visit(name)
    return found


def test_no_modules_import_each_other_in_a_ring():
    """Imports for types alone count too; `speech/__init__.py` does not."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in MODULES}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for name, path in names.items():
        for module, node in imported(path):
            inner = [f"{module}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            graph[name] |= {one for one in (module, *inner) if one in names and one != name}
    assert rings({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert sum(map(len, graph.values())) > len(names)
    assert rings(graph) == []


def classes(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]


def test_no_class_name_occurs_twice():
    """A leading underscore makes no other name."""
    found = Counter(node.name.lstrip("_") for path in [*MODULES, *SERVE] for node in classes(path))
    assert {name for name, count in found.items() if count > 1} == set()


@pytest.mark.parametrize("path", PRODUCT, ids=str)
def test_classes_are_short(path):
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in classes(path)}
    assert {name: lines for name, lines in lengths.items() if lines > 200} == {}


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


@pytest.mark.parametrize("path", sorted((ROOT / "speech/train/loop").glob("*.py")), ids=str)
def test_the_loop_knows_no_task(path):
    tasks = {folder.name for folder in (ROOT / "speech/train").iterdir() if folder.is_dir()} - {"loop", "__pycache__"}
    assert len(tasks) >= 3
    for name, _ in imported(path):
        assert not any(name.startswith(f"speech.train.{task}") for task in tasks), f"{path} imports {name}"
        assert not name.startswith("speech.models"), f"{path} imports {name}"


@pytest.mark.parametrize("path", SERVE, ids=str)
def test_the_server_does_not_know_the_recipes(path):
    assert not [name for name, _ in imported(path) if name.split(".")[0] in {"recipes", "hydra"}]


@pytest.mark.parametrize("path", [m for m in [*MODULES, *SERVE] if m.name != "__init__.py"], ids=str)
def test_every_module_has_a_test_file(path):
    name = str(path.relative_to(ROOT).with_suffix("")).removeprefix("speech/")
    folder, _, stem = name.rpartition("/")
    test = TESTED_ELSEWHERE.get(name, f"{folder}/test_{stem}" if folder else f"test_{stem}")
    assert (ROOT / "tests" / f"{test}.py").is_file(), f"expected tests/{test}.py"


def required(line: str) -> str:
    """The normal name of the distribution in a line of requirements."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line)[0]).lower()


def closure(names: set[str]) -> set[str]:
    """`names` of distributions, and those that they require without an extra."""
    found: set[str] = set()
    while names - found:
        name = min(names - found)
        found.add(name)
        with suppress(PackageNotFoundError):
            names = names | {required(line) for line in requires(name) or () if "extra ==" not in line}
    return found


def test_types_are_checked_without_the_extras_that_make_check_leaves_out():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    optional = project["project"]["optional-dependencies"]
    asked = [*project["project"]["dependencies"], *optional["train"], *optional["serve"]]
    installed = closure({required(line) for line in asked})
    unchecked = {name for block in project["tool"]["mypy"]["overrides"] for name in block["module"]}
    distributions = packages_distributions()
    for path in [*MODULES, *SERVE]:
        for name, node in imported(path):
            top = name.split(".")[0]
            if top in {*sys.stdlib_module_names, "speech", "serve"} or getattr(node, "level", 0):
                continue
            comes_from = {required(distribution) for distribution in distributions.get(top, [])}
            assert comes_from & installed or f"{top}.*" in unchecked, f"{path}: mypy overrides lack {top}.*"
