"""`speech adapters transfer`: the file, and what it says of the gain."""

import pytest
import soundfile
import torch
from typer.testing import CliRunner

from speech.cli.app import app
from speech.cli.transfer import ErrorRates, _kept
from speech.data.manifest import Utterance, write_manifest
from speech.errors import DataError, ModelError
from speech.models.adapters.file import FOLDER, describe, fingerprint, load_adapter
from speech.models.checkpoint import load_checkpoint, save_checkpoint
from tests.models.adapters.test_file import made, saved


def run(*arguments):
    arguments = ["adapters", "transfer", *map(str, arguments)]
    return CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "160"})


@pytest.fixture
def bases(checkpoint, tmp_path):
    """Old and new."""
    loaded = load_checkpoint(checkpoint)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            parameter.mul_(0.9)
    save_checkpoint(tmp_path / "new", loaded.model, loaded.tokenizer, info={}, card="")
    return checkpoint, tmp_path / "new"


@pytest.fixture
def file(bases, tmp_path):
    return saved(tmp_path / "spa.safetensors", made("spa", fingerprint(bases[0]), scores={"dev_cer": 0.1}))


@pytest.fixture
def data(speech, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    soundfile.write(folder / "a.wav", speech[:24000], 16000)
    one = Utterance(id="a", audio=folder / "a.wav", duration_s=1.5, language="spa", text="el gato duerme")
    write_manifest([one], folder / "dev.jsonl")
    return folder


def test_the_file_lies_beside_the_new_base_or_elsewhere(bases, file, tmp_path):
    old, new = bases
    assert run(file, "--from", old, "--to", new).exit_code == 0
    target = new / FOLDER / "spa.safetensors"
    assert describe(target).base == fingerprint(new)
    assert describe(target).scores == {}
    with pytest.raises(ModelError, match=r"spa.*already exists"):
        run(file, "--from", old, "--to", new)
    run(file, "--from", old, "--to", new, "--output", tmp_path / "moved.safetensors")
    assert torch.equal(load_adapter(tmp_path / "moved.safetensors").adapter.up, load_adapter(file).adapter.up)
    with pytest.raises(ModelError, match="for another model"):
        run(file, "--from", new, "--to", old, "--output", tmp_path / "back.safetensors")
    assert not (tmp_path / "back.safetensors").exists()


def test_with_data_it_says_how_much_of_the_gain_is_kept(bases, file, data):
    old, new = bases
    shown = run(file, "--from", old, "--to", new, "--data", data).stdout
    rows = [line.split("│")[1].strip() for line in shown.splitlines() if line.startswith("│")]
    assert rows == ["old base", "old base, adapter", "new base", "new base, adapter", "gain that is kept"]
    assert "dev.jsonl, 1 of Spanish" in shown
    scores = describe(new / FOLDER / "spa.safetensors").scores
    assert set(scores) == {"dev_wer", "dev_cer"}


def test_a_language_that_no_base_knows_has_scores_with_the_adapter_only(bases, data, tmp_path):
    old, new = bases
    one = Utterance(id="a", audio=data / "a.wav", duration_s=1.5, language="lad", text="el gato")
    write_manifest([one], data / "test.jsonl")
    path = saved(tmp_path / "lad.safetensors", made("lad", fingerprint(old)))
    shown = run(path, "--from", old, "--to", new, "--data", data).stdout
    rows = {line.split("│")[1].strip(): line.split("│")[3].strip() for line in shown.splitlines() if "│" in line}
    assert (rows["old base"], rows["new base"], rows["gain that is kept"]) == ("-", "-", "-")
    assert rows["new base, adapter"] != "-"


def test_without_data_of_the_language_nothing_is_written(bases, file, data, tmp_path):
    old, new = bases
    (data / "dev.jsonl").write_text("")
    with pytest.raises(DataError, match=r"dev\.jsonl: has no utterance of 'spa'"):
        run(file, "--from", old, "--to", new, "--data", data)
    with pytest.raises(DataError, match=r"has no test\.jsonl and no dev\.jsonl"):
        run(file, "--from", old, "--to", new, "--data", tmp_path)
    assert not (new / FOLDER).exists()


def test_the_share_is_that_of_the_gain():
    old, adapted, new, moved = (ErrorRates(value, value) for value in (0.5, 0.3, 0.4, 0.25))
    assert _kept([old, adapted], [new, moved], "words") == pytest.approx(0.75)
    assert _kept([old, old], [new, moved], "words") is None
    assert _kept([None, adapted], [new, moved], "words") is None
