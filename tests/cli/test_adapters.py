"""`speech adapters` on models and folders; running servers are in `tests/serve/http/test_adapters.py`."""

import shutil

import pytest
from typer.testing import CliRunner

from speech.cli.app import app
from speech.cli.console import run as run_to_the_end
from speech.errors import ConfigError, FileError, LanguageError, ModelError
from speech.models.adapters.file import FOLDER, fingerprint
from tests.models.adapters.test_file import made, saved


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False, env={"COLUMNS": "160"})


@pytest.fixture
def own(checkpoint, tmp_path):
    """A model of one's own, of which the test may change the adapters."""
    return shutil.copytree(checkpoint, tmp_path / "model")


@pytest.fixture
def spanish(own, tmp_path):
    return saved(tmp_path / "spanish.safetensors", made("spa", fingerprint(own), scores={"dev_cer": 0.25, "step": 30}))


def test_what_is_added_is_listed_and_can_be_removed(own, spanish):
    assert "no adapters" in run("adapters", "list", own).stdout
    assert "Spanish (spa)" in run("adapters", "add", spanish, "--model", own).stderr
    assert (own / FOLDER / "spa.safetensors").read_bytes() == spanish.read_bytes()
    lines = run("adapters", "list", own).stdout.splitlines()
    (row,) = [line for line in lines if "Spanish" in line]
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[:4] == ["Spanish (spa)", "1, 3", "4", "2"]
    assert cells[4] == f"{2 * (4 * 65 + 3 * 32) + 2 * 33:,}"
    assert cells[5].endswith("%")
    assert cells[7] == "dev_cer 0.25, step 30"
    assert run("adapters", "remove", "Spanish", "--model", own).exit_code == 0
    assert list((own / FOLDER).iterdir()) == []


def test_one_that_is_there_is_kept_unless_forced(own, spanish):
    run("adapters", "add", spanish, "--model", own)
    with pytest.raises(ModelError, match=r"spanish.*there is an adapter for 'spa' already.*--force"):
        run("adapters", "add", spanish, "--model", own)
    assert run("adapters", "add", spanish, "--model", own, "--force").exit_code == 0


def test_what_is_not_for_the_model_is_refused(own, spanish, tmp_path):
    with pytest.raises(ModelError, match="for another model"):
        run("adapters", "add", saved(tmp_path / "lad.safetensors", made("lad")), "--model", own)
    wide = saved(tmp_path / "wide.safetensors", made("lad", fingerprint(own), dim=64))
    with pytest.raises(ModelError, match=r"wide.*for frames of 64"):
        run("adapters", "add", wide, "--model", own)
    with pytest.raises(FileError, match=r"none.*cannot be read: no such file"):
        run("adapters", "add", tmp_path / "none.safetensors", "--model", own)
    assert not (own / FOLDER).exists()
    with pytest.raises(ModelError, match="has no adapter for 'spa'"):
        run("adapters", "remove", "spa", "--model", own)
    with pytest.raises(LanguageError, match="not a known language"):
        run("adapters", "remove", "klingon", "--model", own)
    saved(own / FOLDER / "lad.safetensors", made("lad"))
    with pytest.raises(ModelError, match=r"lad.*for another model"):
        run("adapters", "list", own)
    (own / FOLDER / "qqq.safetensors").write_text("no language has this code")
    assert run("adapters", "remove", "lad", "qqq", "--model", own).exit_code == 0
    with pytest.raises(ConfigError, match="Give one of them"):
        run("adapters", "list", own, "--server", "http://127.0.0.1:9")


def test_a_mistake_is_one_line_and_exit_code_1(own, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["speech", "adapters", "add", str(own / "README.md"), "--model", str(own)])
    with pytest.raises(SystemExit) as ended:
        run_to_the_end(app)
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith(f"error: {own / 'README.md'}: cannot be read")
    assert len(said.splitlines()) == 1


def test_merging_copies_the_best_and_shows_what_it_brings(tmp_path):
    for step, lad, myx in ((10, 0.5, 0.2), (20, 0.3, 0.3)):
        for code, cer in (("lad", lad), ("myx", myx)):
            saved(
                tmp_path / "run" / str(step) / f"{code}.safetensors", made(code, scores={"dev_cer": cer, "step": step})
            )
    shown = run("adapters", "merge", tmp_path / "run", "--to", tmp_path / "best").stdout
    for code, step in (("lad", 20), ("myx", 10)):
        best = tmp_path / "run" / str(step) / f"{code}.safetensors"
        assert (tmp_path / "best" / f"{code}.safetensors").read_bytes() == best.read_bytes()
    assert "the best common step is 20" in shown
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    assert rows == [
        ["Ladino (lad)", "20", "0.3000", "0.3000"],
        ["Masaaba (myx)", "10", "0.2000", "0.3000"],
        ["mean", "", "0.2500", "0.3000"],
    ]


def test_a_model_shows_its_adapters_and_commands_take_others(own, spanish, wave, tmp_path):
    assert "adapters      none" in run("models", own).stdout
    run("adapters", "add", spanish, "--model", own)
    assert "adapters      spa" in run("models", own).stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    commands = [["transcribe", wave, "--language", "spa"], ["align", wave, "--text", "el gato", "--language", "spa"]]
    for command in commands:
        usual, none, elsewhere = (
            run(*command, "--format", "jsonl", "--model", own, *options).stdout
            for options in ([], ["--adapters", empty], ["--adapters", own / FOLDER])
        )
        assert usual == elsewhere != none
        with pytest.raises(ModelError, match="is not a folder of adapters"):
            run(*command, "--model", own, "--adapters", tmp_path / "none")
    batch = ["transcribe", wave, "--language", "spa", "--model", own, "--engine", "local"]
    batch += ["--output-dir", tmp_path / "out"]
    assert run(*batch).exit_code == 0
    assert "1 of 1 need nothing" in run(*batch).stderr
    assert "need nothing" not in run(*batch, "--adapters", empty).stderr  # another result
    with pytest.raises(ModelError, match="is not a folder of adapters"):
        run(*batch, "--adapters", tmp_path / "none")
