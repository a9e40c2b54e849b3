"""Where a run starts: prefix frames and features of a model from nothing."""

import torch
from torch import nn

from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest
from speech.models.owsm_ctc import FrontEnd, OwsmCtc, OwsmCtcConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.text.vocabulary import Vocabulary
from speech.train.asr.init import build_model, build_tokenizer, quiet_prefix
from tests.changes import changed
from tests.train.asr.test_run import tiny


def test_prefix_frames_start_as_silence_with_a_little_of_their_own():
    config = OwsmCtcConfig(
        encoder=WhisperEncoderConfig(period=600),
        front_end=FrontEnd.whisper,
        inter_layers=[],
        inter_transcript=0,
        target_prefix=False,
        prompt_dim=64,
    )
    torch.manual_seed(0)
    model = OwsmCtc(config, Vocabulary.build(["eng", "deu"], [], ["a"])).eval()
    for convolution in (model.encoder.subsampling.conv1, model.encoder.subsampling.conv2):
        nn.init.normal_(convolution.weight, std=0.2)  # as loud as Whisper's
    quiet = torch.zeros(1, 16000)
    with torch.no_grad():
        quiet_prefix(model, model.encoder)
        frames, _ = model.encoder.subsampling(*model.features(quiet, torch.tensor([16000])))
        silence = frames[0, 25] + model.encoder.positions(torch.tensor([0]))[0]
        ids = [model.vocabulary.language_id(code) for code in ("eng", "deu")]
        prefix = model.prefix(torch.tensor([ids]))[0]
    assert torch.cosine_similarity(prefix, silence[None]).min() > 0.8
    assert not torch.allclose(prefix[0], prefix[1], atol=0.05)


def test_a_model_from_nothing_sees_features_around_0_with_deviation_1(corpus, tmp_path):
    config = changed(tiny(corpus, tmp_path, max_steps=1), {"model.front_end": FrontEnd.owsm})
    utterances = read_manifest(corpus / "train.jsonl", corpus)
    model = build_model(config, build_tokenizer(config, utterances), utterances)
    samples = torch.from_numpy(load_audio(corpus / "test0.wav"))[None]
    features = model.normalise(model.features(samples, torch.tensor([samples.shape[1]]))[0])
    assert model.feature_mean.mean() < -3
    assert features.mean().abs() < 0.5
    assert 0.5 < features.std() < 1.5
