"""The commands as a whole: found, shown and called without loading more than is needed; exit codes."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from typer.testing import CliRunner

from speech.cli.app import app
from speech.cli.commands import COMMANDS, _load_plugin, _plugins, _summary
from speech.errors import ConfigError

HEAVY = "torch numpy numba onnxruntime serve.command speech.recognizer"
PROGRAM = f"""
import sys
from speech.cli.commands import app
try:
    app({{arguments}})
except SystemExit as ended:
    assert ended.code == 0, ended.code
heavy = {{{{*{HEAVY.split()}}}}} & sys.modules.keys()
assert not heavy, heavy
"""


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


@pytest.mark.parametrize("arguments", [["--help"], ["transcribe", "--help"], ["align", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments):
    command = [sys.executable, "-c", PROGRAM.format(arguments=arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Usage: " in ran.stdout


def test_the_package_itself_loads_nothing_heavy():
    program = (
        f"import sys, speech; assert not {{*{HEAVY.split()}}} & sys.modules.keys(); speech.Word; speech.Recognizer"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_command_is_listed_and_has_help():
    listed = run("--help").stdout
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name} " in listed
        assert summary in listed
        shown = run(name, "--help")
        assert shown.exit_code == 0
        assert f"Usage: speech {name}" in shown.stdout.replace("root", "speech")


def test_plugins_are_listed_by_their_first_line_which_is_read_without_importing_them():
    plugins = _plugins()
    assert {"serve", "stream"} <= plugins.keys()
    assert _summary(plugins["serve"]) == "Serve a model: live audio over websockets, files over HTTP."
    assert _summary(plugins["serve"]) in run("--help").stdout
    assert _summary(EntryPoint("x", "no.such.module:x", "speech.commands")) == ""


def test_a_plugin_that_lacks_a_package_says_which_and_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "serve_like.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"^speech like: needs the package no_such_package"):
        _load_plugin(EntryPoint("like", "serve_like:like", "speech.commands"))


def test_an_error_within_a_plugin_is_not_taken_for_a_missing_package(tmp_path, monkeypatch):
    (tmp_path / "own_fault.py").write_text("import own_fault.part\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="own_fault"):
        _load_plugin(EntryPoint("fault", "own_fault:fault", "speech.commands"))


@pytest.mark.parametrize(
    "arguments",
    [["nope"], ["transcribe"], ["transcribe", "a.wav", "--nope"], ["transcribe", "a.wav", "--beam", "x"],
     ["adapters", "nope"], ["transcribe", "a.wav", "--format", "doc"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_has_an_exit_code_of_its_own(arguments):
    assert run(*arguments).exit_code == 64
