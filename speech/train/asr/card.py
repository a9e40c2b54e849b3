"""Model card of a trained checkpoint."""

from __future__ import annotations

from typing import Any

from speech.text.languages import resolve
from speech.train.asr.config import TrainConfig


def model_card(config: TrainConfig, info: dict[str, Any]) -> str:
    """The card in Markdown: model, training data, error rates, licences."""
    hours = info["hours"]
    lines = [
        f"# {config.name}",
        "",
        f"A CTC encoder ({type(config.model.encoder).__name__.removesuffix('Config')}) trained for "
        f"{config.trainer.max_steps} steps on {sum(hours.values()):.1f} hours of speech in {len(hours)} languages.",
        "",
        f"- started from: {_start(config)}",
        f"- chunk sizes in training: {config.chunk.sizes} encoder frames, left context {config.chunk.left_context}",
        f"- seed {config.seed}, precision {config.trainer.precision}",
        "",
        "All settings are in `training.json`, all losses in `metrics.jsonl`.",
        "",
        "![learning curve](learning_curve.png)",
        "",
        "## Speech it heard",
        "",
        "| source | licence |",
        "|---|---|",
        *[f"| {source} | {licence} |" for source, licence in info["sources"]],
        "",
        "| language | hours |",
        "|---|---|",
        *[f"| {resolve(code).name} ({code}) | {h:.2f} |" for code, h in sorted(hours.items(), key=lambda i: -i[1])],
    ]
    if info["test"] is not None:
        lines += [
            "",
            f"## Error rates (greedy, language not given, normaliser {info['test']['normalizer']})",
            "",
            "| language | utterances | WER (CER without spaces) | CER | language identified |",
            "|---|---|---|---|---|",
            *[
                f"| {resolve(code).name} | {row['utterances']} | {_figure(row['wer'])} | {_figure(row['cer'])} "
                f"| {_figure(row['lid'])} |"
                for code, row in info["test"]["languages"].items()
            ],
            f"| all | | {_figure(info['test']['overall'])} | | |",
        ]
    return "\n".join(lines) + "\n"


def _figure(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.3f}"


def _start(config: TrainConfig) -> str:
    if config.init.whisper:
        return f"the encoder of {config.init.whisper} (Radford et al. 2022; OpenAI's Whisper weights are MIT)"
    return config.init.checkpoint or "random parameters"
