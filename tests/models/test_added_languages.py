"""Languages that a label decoder gets beside its own."""

import pytest
import torch

from speech.choices import Storage
from speech.errors import ConfigError
from speech.models.added_languages import add_languages
from speech.models.checkpoint import LabelCheckpoint, load_label_checkpoint, save_label_checkpoint
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper


def base() -> LabelCheckpoint:
    return LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {})


@torch.inference_mode()
def test_the_new_languages_have_tokens_behind_all_others_and_the_old_ones_sound_as_before(tmp_path):
    before, found = base(), add_languages(base(), {"lad": ["spa", "eng"], "gla": ["eng"]})
    size = before.model.config.decoder.vocabulary
    assert found.tokenizer.languages == before.tokenizer.languages | {"lad": size, "gla": size + 1}
    assert found.model.config.added == ["lad", "gla"]
    assert found.tokenizer.prompt("lad")[1] == size
    save_label_checkpoint(tmp_path / "model", found, card="", storage=Storage.float32)
    read = load_label_checkpoint(tmp_path / "model")
    assert read.tokenizer.languages == found.tokenizer.languages
    assert read.tokenizer.added == {"lad", "gla"}
    samples, lengths = torch.randn(1, 8000), torch.tensor([8000])
    prompt = torch.tensor([before.tokenizer.prompt("eng")])
    old, new = before.model(samples, lengths, prompt), read.model(samples, lengths, prompt)
    torch.testing.assert_close(new[..., :size], old)
    rows = read.model.decoder.embed.weight
    own = before.tokenizer.languages
    near = rows[[own["spa"], own["eng"]]].mean(dim=0)
    assert 0.4 < (rows[size] - near).norm() / near.norm() < 0.6  # near to both, and to neither alone


@pytest.mark.parametrize(
    ("added", "named"),
    [
        ({"eng": ["spa"]}, "added.eng: is known already"),
        ({"xyzw": ["spa"]}, "added.xyzw: is no ISO 639-3 code"),
        ({"lad": ["fra"]}, r"added.lad \['fra'\]"),
        ({"lad": []}, r"added.lad \[\]"),
    ],
)
def test_a_language_that_cannot_be_added_is_named(added, named):
    with pytest.raises(ConfigError, match=named):
        add_languages(base(), added)


def test_nothing_to_add_changes_nothing():
    one = base()
    assert add_languages(one, {}) is one
