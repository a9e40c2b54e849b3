"""Every published name has one of ours, and no other has."""

import pytest

from speech.models.importers.kokoro_names import new_name
from speech.models.kokoro import KokoroConfig
from speech.models.storage import without_memory
from tests.published_kokoro import SETTINGS, WIDTHS, published_shapes


def plain_names() -> list[str]:
    """Published names once weight normalisation has been undone."""
    found = []
    for part, shapes in published_shapes(SETTINGS, WIDTHS).items():
        found += [f"{part}.{name}".replace("weight_v", "weight") for name in shapes if not name.endswith("weight_g")]
    return [name for name in found if "pooler" not in name and "token_type" not in name]


def test_published_names_become_different_names_of_ours():
    names = [new_name(name, 2) for name in plain_names()]
    assert None not in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ("predictor.text_encoder.lstms.4.weight_ih_l0_reverse", "prosody.encoder.lstms.2.lstm.weight_ih_l0_reverse"),
        ("predictor.text_encoder.lstms.5.fc.bias", "prosody.encoder.norms.2.linear.bias"),
        ("predictor.F0.1.pool.weight", "prosody.pitch.blocks.1.up.weight"),
        ("decoder.decode.3.conv1x1.weight", "decoder.blocks.3.shortcut.weight"),
        (
            "decoder.generator.resblocks.5.adain2.1.fc.weight",
            "decoder.generator.stages.1.blocks.2.norms2.1.linear.weight",
        ),
        ("decoder.generator.noise_res.0.alpha1.2", "decoder.generator.stages.0.source_block.alphas1.2"),
    ],
)
def test_names_of_the_published_model(published, ours):
    assert new_name(published, 3) == ours
    with without_memory():
        assert ours in KokoroConfig().build().state_dict()


@pytest.mark.parametrize(
    "name",
    [
        "predictor.text_encoder.lstms.4.fc.bias",
        "predictor.text_encoder.lstms.5.weight_ih_l0",
        "decoder.generator.ups.0.strange",
        "bert.embeddings.word_embeddings",
        "diffusion.weight",
    ],
)
def test_other_names_are_unknown(name):
    assert new_name(name, 3) is None
