"""The same numbers and the same text as ESPnet 202611 itself, with the same random weights (extra `espnet`)."""

import numpy as np
import pytest
import torch
from espnet_peer import SIZES, load, publish

from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import greedy
from speech.models.importers.espnet import import_espnet
from speech.recognize.full_context import FullContextPass
from speech.recognize.offline import Cut, OfflineConfig
from speech.recognize.request import Request
from speech.recognize.windows import WindowConfig, windows
from speech.recognizer import Recognizer

pytest.importorskip("espnet2", reason="extra `espnet`")
pytestmark = pytest.mark.filterwarnings("ignore")

CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(scope="module", params=[(80, True), (128, False)], ids=["80 mel, old keys", "128 mel, new keys"])
def both(request, tmp_path_factory):
    """ESPnet's model, ours, and our tokenizer."""
    bins, old = request.param
    size = SIZES["tiny"].__class__(**{**vars(SIZES["tiny"]), "bins": bins})
    folder = publish(tmp_path_factory.mktemp("published") / "model", size, seed=bins, old_keys=old)
    return load(folder), *import_espnet(folder)


def batch_of(model, samples, lengths, prefix, prompt):
    width = max(map(len, prompt))
    rows = [row + [-1] * (width - len(row)) for row in prompt]
    return {
        "speech": samples,
        "speech_lengths": lengths,
        "text_prev": torch.tensor(rows),
        "text_prev_lengths": torch.tensor([len(row) for row in prompt]),
        "prefix": prefix,
        "prefix_lengths": torch.full((len(samples),), 2),
    }


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=int(seconds * 16000)) * np.linspace(0.001, 0.3, int(seconds * 16000))).astype(np.float32)


@torch.no_grad()
def test_log_mel(both, speech):
    theirs, ours, _ = both
    samples, lengths = torch.from_numpy(speech)[None], torch.tensor([len(speech)])
    expected, expected_lengths = theirs.s2t_model._extract_feats(samples, lengths)
    found, found_lengths = ours.features(samples, lengths)
    assert found_lengths.tolist() == expected_lengths.tolist()
    torch.testing.assert_close(found, expected, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("prompt", [[[2]], [[40, 41, 42, 90, 91]]], ids=["no prompt", "prompt"])
def test_every_block_and_the_log_probabilities(both, speech, prompt):
    theirs, ours, tokenizer = both
    samples, lengths = torch.from_numpy(speech)[None], torch.tensor([len(speech)])
    prefix = torch.tensor([[tokenizer.vocabulary.language_id("deu"), tokenizer.vocabulary.task_id("st", "eng")]])
    expected, found = [], []
    hooks = [
        layer.register_forward_hook(lambda _, inputs, out: expected.append(out[0]))
        for layer in theirs.s2t_model.encoder.encoders
    ]
    hooks += [layer.register_forward_hook(lambda _, inputs, out: found.append(out)) for layer in ours.encoder.layers]
    encoded, _ = theirs.s2t_model.encode(**batch_of(ours, samples, lengths, prefix, prompt))
    output = ours(*ours.features(samples, lengths), prefix, prompt=prompt)
    for hook in hooks:
        hook.remove()
    assert len(found) == len(expected) == 6
    for own, their in zip(found, expected, strict=True):
        torch.testing.assert_close(own, their, **CLOSE)
    torch.testing.assert_close(output.log_probs, theirs.s2t_model.ctc.log_softmax(encoded[0]), **CLOSE)


@torch.no_grad()
def test_a_batch_of_different_lengths_and_prompts(both, speech):
    theirs, ours, tokenizer = both
    lengths = torch.tensor([len(speech), 50_000, 21_000])
    samples = torch.stack([torch.from_numpy(speech) * (torch.arange(len(speech)) < n) for n in lengths])
    prefix = torch.tensor([[tokenizer.vocabulary.nolang, tokenizer.vocabulary.task_id("asr")]] * 3)
    prompt = [[50, 51, 52, 53], [2], [60, 61]]
    (encoded, _), sizes = theirs.s2t_model.encode(**batch_of(ours, samples, lengths, prefix, prompt))
    output = ours(*ours.features(samples, lengths), prefix, prompt=prompt)
    assert output.lengths.tolist() == sizes.tolist()
    expected = theirs.s2t_model.ctc.log_softmax(encoded)
    for own, their, size in zip(output.log_probs, expected, sizes.tolist(), strict=True):
        torch.testing.assert_close(own[:size], their[:size], **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("seconds", [1.0, 9.7, 30.0])
def test_greedy_text(both, seconds):
    """Theirs is also read off the two prefix frames; those are no time of the audio, so we leave them out."""
    theirs, ours, tokenizer = both
    samples = noise(seconds)
    expected = theirs.best_path(samples, lang_sym="<nolang>", task_sym="<asr>")[0]
    prefix = torch.tensor([[tokenizer.vocabulary.nolang, tokenizer.vocabulary.task_id("asr")]])
    output = ours(*ours.features(torch.from_numpy(samples)[None], torch.tensor([len(samples)])), prefix)
    ids = [span.id for span in greedy(CtcFrames(output.log_probs, output.lengths, 0.08))[0]]
    assert ids == expected[2]
    assert tokenizer.decode(ids) == expected[3].strip()

    second_pass = FullContextPass(ours, tokenizer)
    whole = windows([samples], WindowConfig(size_s=30.0, context_s=0.0), second_pass.grid)
    heard = second_pass.read_windows(whole, Request())
    encoded, _ = theirs._encode(torch.from_numpy(samples)[None], None, "<nolang>", "<asr>")
    without = theirs._collapse_ctc_path(encoded[0, 2:])[0]
    assert tokenizer.decode([span.id for span in heard.spans]) == without[3].strip()


@pytest.mark.parametrize("seconds", [3.0, 29.9, 75.0, 97.36])
def test_long_form_text(both, seconds):
    theirs, ours, tokenizer = both
    samples = noise(seconds, 1)
    ((_, end, expected),) = theirs.decode_long(samples, context_len_in_secs=4.0, lang_sym="<eng>", task_sym="<asr>")
    window = WindowConfig(size_s=30.0, context_s=4.0, padded=True)
    recognizer = Recognizer(ours, tokenizer, OfflineConfig(cut=Cut.windows, window=window))
    transcript = recognizer.transcribe(samples, language="eng")
    assert transcript.text == expected.strip()
    assert transcript.duration_s == pytest.approx(end)
