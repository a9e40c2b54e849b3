"""Initial tokenizer and parameters of a run."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from speech.audio import SAMPLE_RATE
from speech.data.manifest import Utterance
from speech.data.reading import AudioReader, Unreadable
from speech.errors import ConfigError, DataError, ModelError
from speech.models.checkpoint import load_checkpoint, load_label_checkpoint
from speech.models.hub import locate, locate_file
from speech.models.importers.whisper import load_whisper_encoder
from speech.models.owsm_ctc import FrontEnd, OwsmCtc
from speech.nn.encoder.whisper import WhisperEncoder, WhisperEncoderConfig
from speech.text.normalize import plain_text
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.train.asr.config import TrainConfig

_log = logging.getLogger(__name__)

_STATISTICS_S = 1800.0
_SILENCE = 1e-4
_PREFIX_SPREAD = 0.25
_SMALLEST_VARIANCE = 1e-4


def build_tokenizer(config: TrainConfig, utterances: list[Utterance]) -> Tokenizer:
    """The tokenizer of the initial checkpoint, or of the interrupted run, or a newly trained one."""
    if config.init.checkpoint and not config.init.encoder_only:
        return load_checkpoint(locate(config.init.checkpoint)).tokenizer
    languages = sorted({u.language for u in utterances})
    path = Path(config.output) / "tokenizer.model"
    targets = sorted(config.data.st_targets)
    sos_eos = config.model.prompt is not None
    if path.is_file():
        return Tokenizer.from_pieces(path.read_bytes(), languages=languages, st_targets=targets, sos_eos=sos_eos)
    tokenizer = Tokenizer.train(
        _texts(utterances, set(targets)),
        vocab_size=config.tokenizer.size,
        languages=languages,
        st_targets=targets,
        coverage=config.tokenizer.coverage,
        characters=config.tokenizer.characters,
        sos_eos=sos_eos,
    )
    tokenizer.save(path)
    return tokenizer


def _texts(utterances: list[Utterance], targets: set[str]) -> Iterable[str]:
    """Texts for the tokenizer: transcripts twice, as they are the main task, and each distinct translation once."""
    seen: set[str] = set()
    for utterance in utterances:
        text = plain_text(utterance.text)
        yield from (text, text)
        for code, translation in utterance.translations.items():
            if code in targets and translation not in seen:
                seen.add(translation)
                yield plain_text(translation)


def build_model(config: TrainConfig, tokenizer: Tokenizer, utterances: Sequence[Utterance]) -> OwsmCtc:
    """Build a model initialised as `config.init` says; other parameters are random with `config.seed`.

    A model trained from scratch takes its feature statistics from the training `utterances`.
    """
    torch.manual_seed(config.seed)
    init = config.init
    if init.checkpoint and not init.encoder_only:
        loaded = load_checkpoint(locate(init.checkpoint)).model
        if init.lower:
            loaded = on_lower_layers(loaded, config, locate(init.lower))
        if loaded.config != config.model:
            _log.info("the checkpoint's model configuration replaces the run's")
        return loaded.train()
    model = OwsmCtc(config.model, tokenizer.vocabulary)
    if init.checkpoint:
        source = load_checkpoint(locate(init.checkpoint)).model
        if source.config.encoder != config.model.encoder:
            raise ModelError(
                f"encoder {source.config.encoder} is not {config.model.encoder}",
                where=init.checkpoint,
                fix="Configure the same encoder, or init.checkpoint= to start from nothing.",
            )
        model.encoder.load_state_dict(source.encoder.state_dict())
        model.feature_mean.copy_(source.feature_mean)
        model.feature_std.copy_(source.feature_std)
    elif init.whisper:
        if not isinstance(model.encoder, WhisperEncoder):
            raise ModelError("init.whisper needs encoder=whisper_base", where=init.whisper)
        load_whisper_encoder(model.encoder, locate_file(init.whisper, "model.safetensors"))
        quiet_prefix(model, model.encoder)
    elif config.model.front_end == FrontEnd.owsm:
        feature_statistics(model, utterances)
    return model


def on_lower_layers(model: OwsmCtc, config: TrainConfig, folder: Path) -> OwsmCtc:
    """Replace the convolutions and lower layers of a CTC model by a label model's; prefix frames enter above them."""
    layers = config.model.encoder.prefix_after if isinstance(config.model.encoder, WhisperEncoderConfig) else 0
    if not 0 < layers <= config.optimizer.frozen_layers:
        raise ConfigError(
            f"init.lower with model.encoder.prefix_after {layers}, optimizer.frozen_layers "
            f"{config.optimizer.frozen_layers}",
            fix="Give the number of layers to share as both.",
        )
    if any(inter <= layers for inter in model.config.inter_layers):
        raise ConfigError(f"model.inter_layers {model.config.inter_layers}", fix=f"All have to be above {layers}.")
    lower, own = load_label_checkpoint(folder).model.encoder, model.config.encoder
    if not isinstance(own, WhisperEncoderConfig) or own.shape != lower.config.shape:
        raise ModelError(f"encoder {lower.config} is not the checkpoint's, {own}", where=str(folder))
    encoder = replace(own, prefix_after=layers)
    shared = OwsmCtc(replace(model.config, encoder=encoder), model.vocabulary)
    shared.load_state_dict(model.state_dict())
    shared.encoder.subsampling.load_state_dict(lower.subsampling.state_dict())
    for mine, theirs in zip(shared.encoder.layers[:layers], lower.layers[:layers], strict=True):
        mine.load_state_dict(theirs.state_dict())
    return shared


@torch.no_grad()
def feature_statistics(model: OwsmCtc, utterances: Sequence[Utterance], seconds: float = _STATISTICS_S) -> None:
    """Set the feature mean and standard deviation per bin from utterances spread evenly over the corpus.

    The published front end is a plain logarithm with values around -8 (Whisper's are already near 0 +- 1). Without
    normalisation the network never leaves the plateau where CTC outputs only blanks.

    Args:
        seconds: approximate maximum of speech to read.

    Raises:
        DataError: if no utterance can be read.
    """
    every = max(1, math.ceil(sum(u.duration_s for u in utterances) / seconds))
    total = torch.zeros(model.config.encoder.bins, dtype=torch.float64)
    square, frames = torch.zeros_like(total), 0
    read = AudioReader()
    for utterance in utterances[::every]:
        loaded = read(utterance)
        if isinstance(loaded, Unreadable):  # training will report it
            continue
        samples = torch.from_numpy(loaded)[None]
        features = model.features(samples, torch.tensor([samples.shape[1]]))[0][0].double()
        total, square, frames = total + features.sum(0), square + features.square().sum(0), frames + len(features)
    if not frames:
        raise DataError("no training speech can be read", fix="Look at the files that the manifest names.")
    mean = total / frames
    model.feature_mean.copy_(mean)
    model.feature_std.copy_((square / frames - mean.square()).clamp(min=_SMALLEST_VARIANCE).sqrt())


@torch.no_grad()
def quiet_prefix(model: OwsmCtc, encoder: WhisperEncoder) -> None:
    """Initialise the prefix frames as silence plus small random embeddings.

    Layer normalisation amplifies the frames before the audio, and every frame attends to them: random frames rotate the
    pretrained encoder's output by 38 degrees (cosine 0.79), silent ones by 4 (0.998).
    """
    samples = torch.randn(1, SAMPLE_RATE, generator=torch.Generator().manual_seed(0)) * _SILENCE
    features, lengths = model.features(samples, torch.tensor([SAMPLE_RATE]))
    frames, _ = encoder.subsampling(features, lengths)
    model.embed_proj.bias.copy_(frames[0, frames.shape[1] // 2] + encoder.positions(torch.tensor([0]))[0])
    model.embed_proj.weight.mul_(_PREFIX_SPREAD)
