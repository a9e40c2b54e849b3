"""Each language's best checkpoint."""

from pathlib import Path

import pytest

from speech.errors import ModelError
from speech.models.adapters.merge import merge
from tests.models.adapters.test_file import made, saved


def write(folder: Path, code: str, step: int | None, cer: float, base: str = "0" * 64, **scores: float) -> Path:
    known = {"dev_cer": cer} | ({} if step is None else {"step": step}) | scores
    return saved(folder / f"step_{step}" / f"{code}.safetensors", made(code, base, scores=known))


def test_each_language_has_its_own_best_step(tmp_path):
    for step, lad, myx in ((10, 0.5, 0.2), (20, 0.3, 0.25), (30, 0.2, 0.6)):
        write(tmp_path, "lad", step, lad)
        write(tmp_path, "myx", step, myx)
    choices = merge([tmp_path])
    assert list(choices) == ["lad", "myx"]
    assert (choices["lad"].step, choices["myx"].step) == (30, 10)
    assert [choice.file.scores["dev_cer"] for choice in choices.values()] == [0.2, 0.2]
    together = [choice.common for choice in choices.values()]
    assert [info.scores["step"] for info in together if info is not None] == [20, 20]  # means .35, .275, .4
    assert [info.scores["dev_cer"] for info in together if info is not None] == [0.3, 0.25]
    some = merge([tmp_path / "step_10", tmp_path / "step_20" / "lad.safetensors"])
    assert (some["lad"].step, some["myx"].step) == (20, 10)


def test_of_equals_the_better_words_then_the_earlier(tmp_path):
    write(tmp_path / "a", "lad", 20, 0.5, dev_wer=0.8)
    write(tmp_path / "b", "lad", 30, 0.5, dev_wer=0.7)
    write(tmp_path / "c", "lad", 40, 0.5, dev_wer=0.7)
    assert merge([tmp_path])["lad"].step == 30
    assert merge([tmp_path / "c", tmp_path / "b"])["lad"].step == 30


def test_steps_that_lack_a_language_are_not_common(tmp_path):
    write(tmp_path, "lad", 10, 0.1)
    write(tmp_path, "myx", 20, 0.1)
    write(tmp_path, "fra", None, 0.1)
    choices = merge([tmp_path])
    assert [choice.common for choice in choices.values()] == [None] * 3
    assert choices["fra"].step is None


def test_what_cannot_be_merged_is_named(tmp_path):
    write(tmp_path, "lad", 10, 0.1)
    write(tmp_path, "lad", 20, 0.1, base="1" * 64)
    with pytest.raises(ModelError, match=r"step_20.*is for another base than .*step_10.*: 111111111111, not 000000"):
        merge([tmp_path])
    saved(tmp_path / "x" / "lad.safetensors", made("lad", scores={"dev_wer": 0.5}))
    with pytest.raises(ModelError, match=r"x/lad.*has no 'dev_cer' among its scores \['dev_wer'\]"):
        merge([tmp_path / "x"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="holds no adapter"):
        merge([tmp_path / "empty"])
    with pytest.raises(ModelError, match="no adapters to merge"):
        merge([])
    with pytest.raises(ModelError, match=r"none.*cannot be read"):
        merge([tmp_path / "none.safetensors"])
