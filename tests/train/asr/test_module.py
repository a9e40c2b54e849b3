"""When batches are chunked."""

import torch

from speech.models.owsm_ctc import OwsmCtc
from speech.text.vocabulary import Vocabulary
from speech.train.asr.module import CtcModule
from tests.changes import changed
from tests.train.asr.test_run import tiny


def test_chunks_begin_when_they_are_told_to(corpus, tmp_path):
    config = changed(tiny(corpus, tmp_path / "run"), {"chunk.probability": 1.0, "chunk.begins": 1})
    vocabulary = Vocabulary.build(["eng"], [], ["a"])
    module = CtcModule(OwsmCtc(config.model, vocabulary), config)
    assert module._chunk(torch.Generator()) is None
    module = CtcModule(OwsmCtc(config.model, vocabulary), changed(config, {"chunk.begins": 0}))
    assert module._chunk(torch.Generator()) is not None
