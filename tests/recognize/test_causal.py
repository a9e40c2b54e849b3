"""The first pass hears in chunks what the model does."""

from dataclasses import replace

import pytest
import torch

from speech import Recognizer
from speech.chunking import ChunkSpec
from speech.decode.ctc.greedy import collapse
from speech.models.precision import Precision
from speech.stream.engine import EngineConfig


@pytest.mark.parametrize("right", [0, 8])
def test_the_first_pass_hears_what_the_model_hears_in_chunks(speech, right):
    recognizer = Recognizer.from_pretrained(precision=Precision.float32)
    model = recognizer.model
    first = recognizer.engine(EngineConfig(chunk=16, right_context=right, int8=False)).first_pass
    prefix = (model.vocabulary.nolang, model.vocabulary.task_id("asr"))
    stream = first.begin(prefix, 0, frozenset())
    for start in range(0, len(speech), 3200):
        stream.feed(speech[start : start + 3200])
        while first.ready(stream, 16) >= 16:
            first.step([stream], 16)
    samples = torch.from_numpy(speech)[None]
    features, lengths = model.features(samples, torch.tensor([len(speech)]))
    with torch.inference_mode():
        chunk = ChunkSpec(size=16, left_context=first.left_context, right_context=right)
        whole = model(features, lengths, torch.tensor([prefix]), chunk).log_probs[0].argmax(-1)
    heard = round(stream.heard_s / model.frame_s)
    assert heard > 50
    said = [s for s in collapse(whole[:heard].tolist(), [1.0] * heard) if not model.vocabulary.is_special(s.id)]
    assert said
    assert [replace(s, confidence=1.0) for s in stream.spans(0, ())] == said
