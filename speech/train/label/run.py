"""From a Whisper model to one that hears at true length: corpus -> batches -> decoder layers -> mean with the old."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from speech.audio.augment import WaveAugment
from speech.data.reading import Tally
from speech.errors import ConfigError
from speech.models.whisper import Whisper
from speech.text.bpe import LabelTokenizer
from speech.train.label.batches import LabelBatches, LabelDev
from speech.train.label.config import LabelConfig
from speech.train.label.module import LabelModule
from speech.train.run import begin, read_corpus, record_config, take_steps
from speech.train.state import steps_done
from speech.train.stream import SpeechData


@dataclass(frozen=True, slots=True)
class LabelResult:
    """Where the result is."""

    checkpoint: Path


def train_label(config: LabelConfig, whisper: Whisper, tokenizer: LabelTokenizer) -> Path:
    output = begin(config)
    corpus = read_corpus(config)
    record_config(config, output)
    done = steps_done(config, output)
    module = LabelModule(whisper, config)
    settings = config.trainer
    if done < settings.max_steps:
        augment = WaveAugment(config.data.augment) if config.data.augment is not None else None
        batches = LabelBatches(corpus["train"], tokenizer, config.label, config.seed, augment, cache=config.data.cache)
        if not batches.utterances:
            raise ConfigError("no utterance in a language that the decoder knows")
        module.unreadable = Tally("train", len(batches.utterances), config.data.max_unreadable)
        unreadable = Tally("dev", len(corpus["dev"]), config.data.max_unreadable)
        dev = LabelDev(corpus["dev"], tokenizer, config.label, unreadable)
        start, stop = done * settings.accumulate, settings.max_steps * settings.accumulate
        take_steps(config, module, SpeechData(batches, dev, start, stop, config.data), output, resumed=done > 0)
    return output
