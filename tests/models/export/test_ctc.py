"""Exported graphs say what the model says, whole and chunk by chunk; where they would not, nothing is left behind."""

import json

import numpy as np
import pytest
import torch

from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.models.export.ctc import export_onnx, run_streaming
from speech.models.export.ctc_graphs import StreamingGraph
from speech.models.export.onnx_files import open_onnx

pytest.importorskip("onnx")
CHUNK = ChunkSpec(size=4, left_context=10, right_context=2)
FAMILIES = ["model", "published"]
UNKNOWN_END = 1 << 60


@pytest.fixture(scope="module", params=FAMILIES)
def exported(request, tmp_path_factory):
    model = request.getfixturevalue(request.param)
    directory = tmp_path_factory.mktemp("onnx") / "exported"
    export_onnx(directory, model, name="small", chunk=CHUNK, prefix=(4, 7), sherpa=True)
    return model, directory


def initial_state(model, prefix: tuple[int, int]) -> dict[str, np.ndarray]:
    """The first state of a live stream with that prefix, by input of `streaming.onnx`; the batch is one."""
    return {key: value.numpy() for key, value in StreamingGraph(model, CHUNK).initial(torch.tensor([prefix])).items()}


def random_features(length: int, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, length, 80, generator=torch.Generator().manual_seed(length))


@torch.inference_mode()
@pytest.mark.parametrize("length", [15, 16, 17, 40, 93, 150, 333])
def test_whole_utterances_of_any_length(exported, length):
    model, directory = exported
    features, prefix = random_features(length, 2), torch.tensor([[3, 7], [5, 8]])
    expected = model(features, torch.tensor([length, length]), prefix)
    got = open_onnx(directory / "model.onnx").run(None, {"features": features.numpy(), "prefix": prefix.numpy()})
    np.testing.assert_allclose(got[0], expected.log_probs, atol=1e-3)
    if model.language is not None:
        np.testing.assert_allclose(got[1], expected.language_logits.log_softmax(-1), atol=1e-3)
    assert len(got) == (1 if model.language is None else 2)


@torch.inference_mode()
def test_chunk_by_chunk(exported):
    model, directory = exported
    session = open_onnx(directory / "streaming.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    window, shift, lead = (int(facts[key]) for key in ("window", "shift", "lead"))
    features, names = random_features(window - lead + 9 * shift), [o.name for o in session.get_outputs()]
    padded = np.pad(features.numpy(), ((0, 0), (lead, 0), (0, 0)), constant_values=7.0)
    state = dict(np.load(directory / "state.npz"))
    assert ",".join(state) == facts["state"]
    live = model.init_state(torch.tensor([[4, 7]]), CHUNK)
    fed = 0
    for start in range(0, 10 * shift, shift):
        piece = features[:, fed : start + window - lead]
        fed += piece.shape[1]
        expected, logits, live = model.step(piece, live, CHUNK)
        total = np.array([UNKNOWN_END])
        values = session.run(names, {"features": padded[:, start : start + window], "total": total, **state})
        found = dict(zip(names, values, strict=True))
        assert found["frames"] == [expected.shape[1]] == [found["log_probs"].shape[1]]
        np.testing.assert_allclose(found["log_probs"], expected, atol=1e-3)
        if logits is not None:
            np.testing.assert_allclose(found["language_log_probs"], logits.log_softmax(-1), atol=1e-3)
        state = {key: found[f"next_{key}"] for key in state}
    assert found["next_done"] == live.encoder.done


@torch.inference_mode()
@pytest.mark.parametrize("length", [3, 15, 31, 64, 150, 151, 160, 333])
def test_streams_end_anywhere(exported, length):
    model, directory = exported
    features, prefix = random_features(length), (5, 8)
    state = model.init_state(torch.tensor([prefix]), CHUNK)
    first, _, state = model.step(features, state, CHUNK)
    expected = torch.cat([first, model.finish(state, CHUNK)[0]], dim=1)
    session = open_onnx(directory / "streaming.onnx")
    got = run_streaming(session, initial_state(model, prefix), features.numpy())
    np.testing.assert_allclose(got["log_probs"], expected, atol=1e-3)


@torch.inference_mode()
def test_streams_of_different_age_share_a_batch(exported):
    model, directory = exported
    session = open_onnx(directory / "streaming.onnx")
    names = [output.name for output in session.get_outputs()]
    fresh = initial_state(model, (4, 7))
    features = np.random.default_rng(0).normal(size=(2, session.get_inputs()[0].shape[1], 80)).astype(np.float32)
    total = np.array([UNKNOWN_END])

    def run(windows: np.ndarray, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        totals = total.repeat(len(windows))
        return dict(zip(names, session.run(names, {"features": windows, "total": totals, **state}), strict=True))

    after = run(features[:1], fresh)
    older = {key: after[f"next_{key}"] for key in fresh}
    both = run(features, {key: np.concatenate([older[key], fresh[key]]) for key in fresh})
    np.testing.assert_allclose(both["log_probs"][:1], run(features[:1], older)["log_probs"], atol=1e-4)
    np.testing.assert_allclose(both["log_probs"][1:], run(features[1:], fresh)["log_probs"], atol=1e-4)


def test_files_describe_themselves(exported):
    model, directory = exported
    assert sorted(file.name for file in directory.iterdir()) == [
        "README.md", "model.onnx", "sherpa.onnx", "state.npz", "streaming.onnx", "tokens.txt",
    ]  # fmt: skip
    tokens = [line.rsplit(" ", 1) for line in (directory / "tokens.txt").read_text("utf-8").splitlines()]
    assert tokens == [[token, str(number)] for number, token in enumerate(model.vocabulary.tokens)]
    whole, live = (
        open_onnx(directory / f"{n}.onnx").get_modelmeta().custom_metadata_map for n in ("model", "streaming")
    )
    assert whole["format"] == "speech-ctc-offline-1"
    assert live["format"] == "speech-ctc-streaming-1"
    for facts in (whole, live):
        assert facts["vocabulary_size"] == str(len(model.vocabulary))
        assert float(facts["frame_s"]) == model.frame_s
        assert facts["bins"] == "80"
        assert facts["languages"] == "deu,eng,spa"
        assert json.loads(facts["log_mel"])["hop_length"] == 160
    assert [live[key] for key in ("chunk_size", "left_context", "right_context")] == ["4", "10", "2"]
    assert whole["prefix_frames"] == ("2" if model.config.target_prefix else "0")
    assert open_onnx(directory / "sherpa.onnx").get_outputs()[0].shape[2] == len(model.vocabulary)
    card = (directory / "README.md").read_text("utf-8")
    assert "`<deu>` `<asr>`" in card


def test_sherpa_onnx_reads_recordings(exported, speech):
    sherpa_onnx = pytest.importorskip("sherpa_onnx")
    model, directory = exported
    recognizer = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(
        str(directory / "sherpa.onnx"), str(directory / "tokens.txt")
    )
    stream = recognizer.create_stream()
    stream.accept_waveform(16000, speech)
    recognizer.decode_stream(stream)
    samples = (speech - speech.mean()) / np.sqrt(speech.var() + 1e-5)  # as sherpa-onnx does
    [log_probs] = open_onnx(directory / "sherpa.onnx").run(None, {"samples": samples[None]})
    ids = log_probs[0].argmax(-1)
    starts = [n for n in range(len(ids)) if ids[n] and (n == 0 or ids[n] != ids[n - 1])]
    text = "".join(model.vocabulary.tokens[ids[n]] for n in starts).replace("▁", " ")
    assert text
    assert stream.result.text.strip() == text.strip()
    np.testing.assert_allclose(stream.result.timestamps, [n * 0.02 for n in starts], atol=1e-3)


def test_chunks_must_fit(model, tmp_path):
    for chunk in (ChunkSpec(size=3, left_context=8), ChunkSpec(size=4, left_context=0)):
        with pytest.raises(ConfigError):
            export_onnx(tmp_path / "exported", model, name="small", chunk=chunk)
    assert not list(tmp_path.iterdir())
