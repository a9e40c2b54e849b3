"""A loaded model says what it is, whatever it reads parts with; what only CTC has is refused without it."""

import pytest

from speech.choices import Live
from speech.errors import ConfigError, LanguageError, ModelError
from speech.models.adapters.file import fingerprint
from speech.recognize.full_context import FullContextPass
from speech.recognize.label_only import LabelReader
from speech.recognize.loaded import LoadedModel
from speech.recognize.request import Request
from speech.recognize.text_translation import TextTargets
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper


def test_a_ctc_model_tells_what_it_knows(model, tokenizer, checkpoint):
    found = LoadedModel(TextTargets(FullContextPass(model, tokenizer), None), folder=checkpoint)
    assert (found.model, found.tokenizer, found.frame_s) == (model, tokenizer, model.frame_s)
    assert found.languages == found.known == tokenizer.vocabulary.languages
    assert (found.live, found.adapters) == (Live.chunks, None)
    assert found.targets == tokenizer.vocabulary.st_targets
    assert found.fingerprint == fingerprint(checkpoint)
    with pytest.raises(LanguageError):
        found.check(Request(("fra",)))


def test_a_label_model_has_no_ctc_and_no_adapters(model):
    found = LoadedModel(TextTargets(LabelReader(tiny_whisper(), tiny_label_tokenizer()), None))
    assert found.live == Live.parts
    assert found.languages == tuple(tiny_label_tokenizer().languages)
    for name in ("second_pass", "model", "tokenizer"):
        with pytest.raises(ConfigError, match="no CTC"):
            getattr(found, name)
    with pytest.raises(ModelError, match="was not loaded from disk"):
        _ = found.fingerprint
