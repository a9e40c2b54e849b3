"""Configuration classes as Hydra knows them."""

import pytest
from hydra.core.config_store import ConfigStore

from speech.train.asr.schema import register


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("train_schema.yaml", "tokenizer"),
        ("adapt_schema.yaml", "budget"),
        ("label_schema.yaml", "base"),
        ("translation_schema.yaml", "delay_loss"),
        ("codec_schema.yaml", "codec_loss"),
        ("tts_schema.yaml", "packing"),
        ("model/encoder/whisper_schema.yaml", "reduce_after"),
        ("model/encoder/e_branchformer_schema.yaml", "cross_attention_every"),
        ("model/prompt/prompt_schema.yaml", "hidden"),
    ],
)
def test_each_class_is_registered_under_its_name_however_often(path, field):
    register()
    register()
    assert field in ConfigStore.instance().load(path).node
