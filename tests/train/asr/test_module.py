"""When batches are chunked."""

import torch

from speech.models.owsm_ctc import OwsmCtc
from speech.text.vocabulary import Vocabulary
from speech.train.asr.module import TrainModule
from tests.train.asr.test_run import tiny


def test_chunks_begin_when_they_are_told_to(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "run")
    config.chunk.probability, config.chunk.begins = 1.0, 1
    module = TrainModule(OwsmCtc(config.model, Vocabulary.build(["eng"], [], ["a"])), config)
    assert module._chunk(torch.Generator()) is None
    config.chunk.begins = 0
    assert module._chunk(torch.Generator()) is not None
