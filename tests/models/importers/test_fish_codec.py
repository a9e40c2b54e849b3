"""Published codecs of Fish-Speech become ours: the published formulas, and errors that name tensors."""

import pytest
import torch

from speech.errors import ModelError
from speech.models.fish_codec import FishCodecConfig
from speech.models.importers.fish_codec import build_fish_codec, import_fish_codec
from tests.published_fish import CODEC, PublishedCodec, codec_shapes, codec_tensors

TENSORS = codec_tensors()


def imported(tensors=TENSORS):
    return build_fish_codec(tensors, CODEC, "codec.pth")


@torch.inference_mode()
@pytest.mark.parametrize("count", [640, 656, 672, 688, 700])
def test_codes_are_those_of_the_published_formulas(count):
    """For every number of spectra modulo 4, and samples that fill no hop."""
    codec, theirs = imported(), PublishedCodec(TENSORS)
    samples = torch.randn(count, generator=torch.Generator().manual_seed(count))
    samples *= (
        torch.rand(count // 16 + 1, generator=torch.Generator().manual_seed(0)).pow(8).repeat_interleave(16)[:count]
    )
    filters = codec.log_mel.filters.double().numpy()
    wanted = theirs.codes(torch.from_numpy(theirs.log_mel(samples.double().numpy(), filters)).float())
    codes, frames = codec.encode(samples[None], torch.tensor([count]))
    assert frames.tolist() == [-(-(count // 16) // 4)]
    assert torch.equal(codes[0], wanted)
    assert len(codes.unique()) > 15


@torch.inference_mode()
def test_samples_are_those_of_the_published_formulas():
    codec, theirs = imported(), PublishedCodec(TENSORS)
    codes = torch.randint(0, 1000, (3, 40), generator=torch.Generator().manual_seed(0))
    samples, ends = codec.decode(codes[None], torch.tensor([40]))
    wanted = theirs.samples(codes)
    assert ends.tolist() == [len(wanted)] == [40 * 64]
    assert 0.05 < wanted.std() < 0.9
    torch.testing.assert_close(samples[0], wanted, atol=1e-4, rtol=0)


def test_files_of_training_are_read_too(tmp_path):
    """The generator beside a discriminator, all in a `state_dict`, with constants of the front end."""
    wrapped = {f"generator.{name}": tensor for name, tensor in TENSORS.items()}
    wrapped |= {"discriminator.weight": torch.ones(2), "generator.spec_transform.fb": torch.ones(3)}
    torch.save({"state_dict": wrapped}, tmp_path / "codec.pth")
    found, plain = import_fish_codec(tmp_path / "codec.pth", CODEC), imported()
    assert not found.training
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, found.state_dict()[name])


def test_half_precision_is_read_as_float32():
    codec = imported({name: tensor.half() for name, tensor in TENSORS.items()})
    assert {parameter.dtype for parameter in codec.parameters()} == {torch.float32}


FIRST, POST = "backbone.stages.0.0", "head.conv_post.conv.parametrizations.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(f"{FIRST}.gamma"), rf"1 tensors are missing: {FIRST}\.gamma"),
        (lambda t: t.pop("quantizer.residual_fsq.rvqs.2.project_in.bias"), r"missing: .*rvqs\.2\.project_in\.bias"),
        (lambda t: t.pop(f"{POST}.original0"), r"missing: head\.conv_post.*original0"),
        (lambda t: t.update({"backbone.strange": torch.ones(2)}), r"belong to no part of the model: backbone\.strange"),
        (lambda t: t.update({f"{FIRST}.gamma": torch.ones(3)}), rf"{FIRST}\.gamma \(3,\), expected \(8,\)"),
        (
            lambda t: t.update({"quantizer.upsample.0.0.conv.weight": torch.ones(12, 12, 3)}),
            r"upsample\.0\.0\.conv\.weight \(12, 12, 3\), expected \(12, 12, 2\)",
        ),
        (lambda t: t.update({f"{POST}.original0": torch.ones(2, 1, 1)}), r"head\.conv_post.*a length of shape"),
        (lambda t: t.update({"backbone.norm.bias": torch.full((12,), torch.nan)}), r"backbone\.norm\.bias.*not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named(change, message):
    tensors = dict(TENSORS)
    change(tensors)
    with pytest.raises(ModelError, match=message) as error:
        imported(tensors)
    assert "codec.pth" in str(error.value)


def test_published_names_and_numbers_are_those_of_the_published_model():
    shapes = codec_shapes(FishCodecConfig())
    numbers = dict.fromkeys(("backbone", "quantizer", "head"), 0)
    for name, shape in shapes.items():
        numbers[name.split(".")[0]] += torch.Size(shape).numel()
    assert len(shapes) == 547
    assert numbers == {"backbone": 19_447_808, "quantizer": 10_525_216, "head": 17_092_194}
