"""`speech models`: describe a model and its abilities."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from torch import nn

from speech.choices import Live
from speech.cli.console import stdout
from speech.models.adapters.file import FOLDER
from speech.models.adapters.store import entries
from speech.models.aligned_ar import AlignedAr
from speech.models.checkpoint import kind_of, load_label_outline, load_outline
from speech.models.codec import NeuralCodec
from speech.models.codec_checkpoint import load_codec_checkpoint
from speech.models.fish_checkpoint import load_fish_checkpoint
from speech.models.fish_codec import FishCodec
from speech.models.fish_codec_checkpoint import load_fish_codec
from speech.models.hub import EMBEDDED, locate
from speech.models.hybrid import KIND as HYBRID
from speech.models.kokoro_checkpoint import load_kokoro_checkpoint
from speech.models.letter_phonemes_checkpoint import load_letter_phonemes_checkpoint
from speech.models.policy_file import POLICY
from speech.models.speech_lm_checkpoint import CODEC_FOLDER, PRONUNCIATION_FOLDER, load_speech_lm_checkpoint
from speech.models.storage import (
    ALIGNED_AR,
    CODEC,
    DUAL_AR,
    FIREFLY,
    FISH,
    KOKORO,
    LABEL,
    PRONUNCIATION,
    WATERMARK,
    WHISPER,
)
from speech.models.translation_targets import Targets
from speech.models.watermark import BITS
from speech.models.watermark_checkpoint import load_watermark_checkpoint

_SPEAKING = DUAL_AR, ALIGNED_AR
_LIVE = {
    Live.chunks: "chunks: partial results come with every bit of audio",
    Live.parts: "parts: what is under way is read again, at most every second",
}


def models(
    name: Annotated[str, typer.Argument(help="Model: embedded, embedded-voice, a directory, or a hub id.")] = EMBEDDED,
) -> None:
    """Describe a model: size, languages, translation targets and their scores."""
    path = locate(name)
    kind, adapted = kind_of(path), entries(path / FOLDER)
    files = [file for file in path.rglob("*") if file.is_file() and FOLDER not in file.relative_to(path).parts]
    facts = {
        "path": str(path),
        "kind": kind,
        "on disk": f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB",
        **_facts(path, kind),
        **(_label_half(path / LABEL) if kind == HYBRID else {}),
        **_trained_policy(path / LABEL if kind == HYBRID else path),
        **(
            {}
            if kind in (CODEC, *_SPEAKING, KOKORO, WATERMARK, PRONUNCIATION, FISH, FIREFLY)
            else {"adapters": " ".join(info.language for info in adapted) or "none"}
        ),
    }
    console = stdout()
    for key, value in facts.items():
        console.print(f"{key:<13} {value}")


def _facts(path: Path, kind: str) -> dict[str, str]:
    if kind == CODEC:
        return _codec(load_codec_checkpoint(path).model)
    if kind == FIREFLY:
        return _codec(load_fish_codec(path))
    if kind == FISH:
        return _fish(path)
    if kind in _SPEAKING:
        return _speech_lm(path)
    if kind == KOKORO:
        return _kokoro(path)
    if kind == WATERMARK:
        return _watermark(path)
    if kind == PRONUNCIATION:
        return _pronunciation(path)
    return _label_only(path) if kind == WHISPER else _by_ctc(path)


def _codec(model: NeuralCodec | FishCodec) -> dict[str, str]:
    bits = model.codebooks * math.log2(model.codebook_size)
    return {
        "parameters": _millions(model),
        "audio": f"{model.sample_rate} Hz",
        "frame": f"{model.frame_s * 1000:.1f} ms",
        "codes": f"{model.codebooks} of {model.codebook_size} per frame, {bits / model.frame_s / 1000:.2f} kbit/s",
    }


def _speech_lm(path: Path) -> dict[str, str]:
    checkpoint = load_speech_lm_checkpoint(path)
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    return {
        "parameters": f"{_millions(model)}, {_millions(model.fast)} of them over codebooks",
        "frame": f"{model.frame_s * 1000:.1f} ms",
        "codes": f"{model.codebooks} of {model.codebook_size} per frame",
        "speaks": f"{' '.join(vocabulary.languages) or 'any language'}, by {vocabulary.unit}",
        **({"look-ahead": f"{model.look_ahead} symbols"} if isinstance(model, AlignedAr) else {}),
        "codec": CODEC_FOLDER if (path / CODEC_FOLDER).is_dir() else "none",
        **({"voices": " ".join(checkpoint.speakers)} if checkpoint.speakers else {}),
        **({"pronounces": PRONUNCIATION_FOLDER} if (path / PRONUNCIATION_FOLDER).is_dir() else {}),
    }


def _fish(path: Path) -> dict[str, str]:
    checkpoint = load_fish_checkpoint(path)
    model = checkpoint.model
    of_codec = _codec(checkpoint.codec)
    return {
        "version": f"Fish-Speech {checkpoint.tokenizer.version}",
        "licence": str(checkpoint.info.get("licence")),
        **of_codec,
        "parameters": f"{_millions(model)}, {_millions(model.fast)} of them over codebooks; "
        f"{of_codec['parameters']} in the codec",
        "reads": f"letters, at most {model.config.positions - model.max_frames} tokens and frames of text and voices",
        "voices": "any recording whose text is known",
    }


def _kokoro(path: Path) -> dict[str, str]:
    checkpoint = load_kokoro_checkpoint(path)
    model = checkpoint.model
    return {
        "parameters": _millions(model),
        "audio": f"{model.sample_rate} Hz",
        "frame": f"{model.frame_s * 1000:.1f} ms",
        "symbols": f"{len(checkpoint.symbols.numbers)}, at most {model.most_symbols} at once",
        "voices": " ".join(checkpoint.voices) or "none",
    }


def _watermark(path: Path) -> dict[str, str]:
    checkpoint = load_watermark_checkpoint(path)
    model, threshold = checkpoint.model, checkpoint.threshold
    return {
        "parameters": f"generator {_millions(model.generator)}, detector {_millions(model.detector)}",
        "audio": f"{model.sample_rate} Hz",
        "frame": f"{model.frame_s * 1000:.0f} ms",
        "mark": f"{BITS} bits",
        "threshold": f"{threshold.evidence:.2f} or, at other speeds, {threshold.evidence + threshold.played:.2f}, "
        f"reached by {threshold.false_alarms:.2%} of {threshold.recordings} unmarked recordings",
    }


def _pronunciation(path: Path) -> dict[str, str]:
    model = load_letter_phonemes_checkpoint(path).model
    return {
        "parameters": _millions(model),
        "pronounces": ", ".join(model.vocabulary.languages),
        "symbols": f"{len(model.vocabulary.letters)} letters, {len(model.vocabulary.phonemes)} phonemes",
    }


def _by_ctc(path: Path) -> dict[str, str]:
    outline = load_outline(path)
    model = outline.empty()
    return {
        "encoder": type(model.encoder).__name__,
        "parameters": _millions(model),
        "frame": f"{model.frame_s * 1000:.0f} ms",
        "live": _LIVE[model.live],
        "languages": " ".join(outline.tokenizer.vocabulary.languages),
        "translates to": _targets(outline.targets),
    }


def _label_only(path: Path) -> dict[str, str]:
    outline = load_label_outline(path)
    model = outline.empty()
    return {
        "encoder": type(model.encoder).__name__,
        "parameters": f"{_millions(model)}, {_millions(model.decoder)} of them in the label decoder",
        "frame": f"{model.frame_s * 1000:.0f} ms",
        "live": _LIVE[model.live],
        "languages": " ".join(outline.tokenizer.languages),
        "translates to": _targets(outline.targets),
    }


def _label_half(path: Path) -> dict[str, str]:
    outline = load_label_outline(path)
    model = outline.empty()
    return {
        "label model": f"{_millions(model)} parameters, {_millions(model.decoder)} of them in the decoder",
        "it writes": " ".join(outline.tokenizer.languages),
    }


def _trained_policy(path: Path) -> dict[str, str]:
    """That a live translation may be written by EMMA, if a policy lies beside the label model."""
    return {"live policy": "emma, trained for this model"} if (path / POLICY).is_file() else {}


def _millions(module: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in module.parameters()) / 1e6:.1f} M"


def _targets(targets: Targets) -> str:
    return ", ".join(f"{code} (chrF {score.chrf:.1f})" for code, score in targets.items()) or "no language"
