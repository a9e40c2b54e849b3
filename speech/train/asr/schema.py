"""Registers the configuration classes with Hydra; the only file of this package that knows it."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore

from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.nn.prompt import PromptConfig
from speech.train.adapters.config import AdaptConfig
from speech.train.asr.config import TrainConfig
from speech.train.label.config import LabelConfig


def register() -> None:
    """Make the schemas known before a configuration is composed."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="adapt_schema", node=AdaptConfig)
    store.store(name="label_schema", node=LabelConfig)
    store.store(group="model/encoder", name="whisper_schema", node=WhisperEncoderConfig)
    store.store(group="model/encoder", name="e_branchformer_schema", node=EBranchformerConfig)
    store.store(group="model/prompt", name="prompt_schema", node=PromptConfig)
