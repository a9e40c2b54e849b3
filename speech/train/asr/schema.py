"""Registers the configuration classes with Hydra; the only file of this package that imports it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.nn.prompt import PromptConfig
from speech.train.adapters.config import AdaptConfig
from speech.train.asr.config import TrainConfig
from speech.train.codec.config import CodecTrainConfig
from speech.train.end_of_turn.config import EndOfTurnTrainConfig
from speech.train.label.config import LabelConfig
from speech.train.pronunciation.config import PronunciationTrainConfig
from speech.train.speech_lm.config import SpeechLmTrainConfig
from speech.train.translation.config import TranslationConfig
from speech.train.watermark.config import WatermarkTrainConfig


def register() -> None:
    """Register the schemas; call before a configuration is composed."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=_open(TrainConfig))
    store.store(name="adapt_schema", node=_open(AdaptConfig))
    store.store(name="label_schema", node=_open(LabelConfig))
    store.store(name="translation_schema", node=_open(TranslationConfig))
    store.store(name="codec_schema", node=_open(CodecTrainConfig))
    store.store(name="tts_schema", node=_open(SpeechLmTrainConfig))
    store.store(name="pronunciation_schema", node=_open(PronunciationTrainConfig))
    store.store(name="watermark_schema", node=_open(WatermarkTrainConfig))
    store.store(name="end_of_turn_schema", node=_open(EndOfTurnTrainConfig))
    store.store(group="model/encoder", name="whisper_schema", node=WhisperEncoderConfig)
    store.store(group="model/encoder", name="e_branchformer_schema", node=EBranchformerConfig)
    store.store(group="model/prompt", name="prompt_schema", node=PromptConfig)


def built(config: DictConfig) -> Any:
    """Convert a composed configuration to the frozen dataclass of its schema.

    Raises:
        AttributeError: if a key that was added with `+` is not a field of the class.
        ConfigError: if a number is out of range, or settings contradict each other.
    """
    _refuse_added(config)
    return OmegaConf.to_object(config)


def _open(schema: type) -> DictConfig:
    """Writable structured config of a schema: OmegaConf makes those of frozen dataclasses read-only."""
    node: DictConfig = OmegaConf.structured(schema)
    for part in _parts(node):
        OmegaConf.set_readonly(part, None)
    return node


def _parts(node: DictConfig) -> list[DictConfig]:
    """A node and all nodes below it."""
    found = [node]
    for key in node:
        inner = node._get_node(key)
        if isinstance(inner, DictConfig) and not inner._is_none() and not inner._is_missing():
            found += _parts(inner)
    return found


def _refuse_added(config: DictConfig) -> None:
    for part in _parts(config):
        kind = OmegaConf.get_type(part)
        if kind is None or not is_dataclass(kind):
            continue
        for name in set(map(str, part)) - {field.name for field in fields(kind)}:
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
