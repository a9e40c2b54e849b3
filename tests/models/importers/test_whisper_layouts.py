"""Keys of published Whisper files have one name of ours each; unknown ones are named."""

import pytest
import torch

from speech.errors import ModelError
from speech.models.importers.whisper_layouts import from_ctranslate2, from_hugging_face
from tests.published_whisper import DIM, ctranslate2_arrays, hugging_face_tensors, sinusoids


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    return hugging_face_tensors(20)


@pytest.fixture(scope="module")
def arrays(tensors) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in ctranslate2_arrays(tensors).items()}


def test_both_layouts_give_the_same_names_and_numbers(tensors, arrays):
    one, other = from_hugging_face(tensors), from_ctranslate2(arrays)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert len(one) == len(tensors) - 1  # the sinusoids are computed


def test_names(tensors):
    found = from_hugging_face(tensors)
    published = "model.decoder.layers.1.encoder_attn.out_proj.bias"
    assert found["decoder.layers.1.cross.out.bias"] is tensors[published]
    assert found["decoder.positions"] is tensors["model.decoder.embed_positions.weight"]
    assert found["encoder.subsampling.conv2.weight"] is tensors["model.encoder.conv2.weight"]
    assert "decoder.layers.0.cross.key.bias" not in found


def test_an_encoder_alone_may_leave_its_name_out(tensors):
    own = {k.removeprefix("model.encoder."): v for k, v in tensors.items() if k.startswith("model.encoder.")}
    found = from_hugging_face(own)
    assert found.keys() == {name for name in from_hugging_face(tensors) if name.startswith("encoder.")}


@pytest.mark.parametrize(
    "key",
    [
        "model.encoder.layers.0.conv.weight",
        "model.decoder.layers.0.self_attn.weight",
        "model.decoder.norm.weight",
        "proj_out.bias",
        "classifier.weight",
        "weight",
        "model.",
        "",
    ],
)
def test_a_key_of_no_whisper_is_named(key):
    with pytest.raises(ModelError, match=f"key {key!r} is not part of a Whisper model"):
        from_hugging_face({key: torch.zeros(2)})


@pytest.mark.parametrize(
    "key",
    [
        "encoder/conv3/weight",
        "encoder/layer_0/self_attention/linear_3/weight",
        "encoder/layer_0/moe/linear_0/weight",
        "decoder/layer_0/ffn/weight",
        "decoder/embeddings/bias",
        "decoder/projection/bias",
        "weight",
        "",
    ],
)
def test_an_array_of_no_whisper_is_named(key):
    with pytest.raises(ModelError, match=f"array {key!r} is not part of a Whisper model"):
        from_ctranslate2({key: torch.zeros(2)})


def test_eight_bits_are_divided_by_the_scale_of_their_row():
    key = "decoder/layer_0/ffn/linear_0/weight"
    whole = {key: torch.tensor([[2, -4], [6, 9]], dtype=torch.int8), f"{key}_scale": torch.tensor([2.0, 3.0])}
    found = from_ctranslate2(whole)["decoder.layers.0.feed_forward.up.weight"]
    assert torch.equal(found, torch.tensor([[1.0, -2.0], [2.0, 3.0]]))


@pytest.mark.parametrize("scale", [None, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.0])])
def test_eight_bits_without_a_scale_that_fits_are_refused(scale):
    key = "decoder/layer_0/ffn/linear_0/weight"
    whole = {key: torch.ones(2, 2, dtype=torch.int8)} | ({} if scale is None else {f"{key}_scale": scale})
    with pytest.raises(ModelError, match="no scale that fits"):
        from_ctranslate2(whole)


def test_what_we_compute_has_to_be_what_they_have(tensors, arrays):
    embedding = tensors["model.decoder.embed_tokens.weight"]
    assert "proj_out.weight" not in from_hugging_face(tensors | {"proj_out.weight": embedding.clone()})
    from_ctranslate2(arrays | {"decoder/projection/weight": arrays["decoder/embeddings/weight"]})
    with pytest.raises(ModelError, match=r"proj_out\.weight is not the embedding"):
        from_hugging_face(tensors | {"proj_out.weight": embedding + 1})
    with pytest.raises(ModelError, match=r"proj_out\.weight is not the embedding"):
        from_hugging_face({"proj_out.weight": embedding})
    with pytest.raises(ModelError, match="decoder/projection/weight is not the embedding"):
        from_ctranslate2(arrays | {"decoder/projection/weight": embedding[1:]})
    with pytest.raises(ModelError, match="does not hold sinusoids"):
        from_hugging_face({"model.encoder.embed_positions.weight": sinusoids() + 0.01})
    with pytest.raises(ModelError, match="does not hold sinusoids"):
        from_ctranslate2({"encoder/position_encodings/encodings": sinusoids()[:, : DIM - 1]})


def test_positions_that_were_computed_in_float32_are_sinusoids():
    """As the published ones were, for 512 channels: they are off by up to 0.0003."""
    rates = torch.exp(-torch.log(torch.tensor(10000.0)) / 255 * torch.arange(256))
    angles = torch.arange(1500)[:, None] * rates
    from_hugging_face({"model.encoder.embed_positions.weight": torch.cat([angles.sin(), angles.cos()], dim=1)})
