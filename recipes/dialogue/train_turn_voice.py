"""Train the model that hears ends of turns: `train_turn_voice.py TURNS OUTPUT`.

TURNS is a folder of `heard_turns.py`. The network learns from train.npz; on the turns of dev.npz, which have texts,
what it hears is combined with what the texts say. OUTPUT gets the model, its card and its curve. If TURNS has a
test.npz, the card tells how well text, voice and both tell the turns of it.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.dialogue.end_of_turn import EndOfTurn
from speech.files import check_writable
from speech.metrics.detection import found_at, roc_area
from speech.models.turn_combination import COMBINATION, Combination
from speech.models.turn_end import TurnEndModel, load_turn_end
from speech.models.turn_voice import TurnVoiceModel, save_turn_voice
from speech.nn.turn_voice import TurnVoiceConfig, TurnVoiceNetwork
from speech.train.end_of_turn.voice import (
    TurnVoiceTrainConfig,
    combination_of,
    heard_log_odds,
    last_moment,
    train_turn_voice,
)
from speech.train.end_of_turn.voice_cuts import HeardTurn, read_heard
from speech.train.loop.curve import draw_curve

FALSE_ENDS = 0.05
_SOURCES = (
    ("african_storybook", "CC-BY"),
    ("asterisk_core_sounds", "CC-BY-SA-3.0, CC-BY-3.0"),
    ("daniel_dona_es", "GPL-3.0"),
    ("fsdd_en", "CC-BY-SA-4.0"),
    ("gcompris_voices", "GPL"),
    ("ladino_sounds", "CC-BY-SA-4.0"),
    ("ljspeech_part_en", "public domain"),
    ("rhasspy_kerstin_de", "CC0"),
    ("tuxpaint_stamps", "GPL-2"),
)


def main(
    turns: Annotated[Path, typer.Argument(help="Folder with train.npz and dev.npz.")],
    output: Annotated[Path, typer.Argument(help="Folder of the model.")],
    text: Annotated[Path, typer.Option(help="Folder of the model of texts.")] = EndOfTurn.folder,
    epochs: Annotated[int, typer.Option(help="Of training.", min=1)] = 24,
    most: Annotated[int, typer.Option(help="Turns to train on, drawn by chance.", min=2)] = 100_000,
    rates: Annotated[int, typer.Option(help="Speeds at which each turn is heard.", min=1, max=3)] = 3,
    width: Annotated[int, typer.Option(help="Of the network.", min=8)] = 96,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 2e-3,
    seed: Annotated[int, typer.Option(help="Of all choices.")] = 1,
) -> None:
    """Train, combine, measure."""
    check_writable(output.absolute().parent)
    torch.set_num_threads(1)
    train, dev = read_heard(turns / "train.npz"), read_heard(turns / "dev.npz")
    train = random.Random(seed).sample(train, min(most, len(train)))
    size = TurnVoiceConfig(width=width)
    config = TurnVoiceTrainConfig(epochs=epochs, rates=rates, lr=lr, seed=seed)
    metrics = turns / "metrics.jsonl"
    began = time.monotonic()
    network = train_turn_voice(train, dev, size, config, metrics, lambda line: stderr().print(line, markup=False))
    minutes = (time.monotonic() - began) / 60
    texts = load_turn_end(text)
    combination = combination_of(*said(texts, network, dev))
    held = {part: turns / f"{part}.npz" for part in ("dev", "test") if (turns / f"{part}.npz").is_file()}
    rows = [row for part, path in held.items() for row in rows_of(part, read_heard(path), texts, network, combination)]
    info = {
        "name": "turn_voice",
        **asdict(config),
        "turns": dict(sorted(Counter(own.language for own in train).items())),
        "minutes": round(minutes, 1),
        "rows": rows,
    }
    # a model that sees the last 50 ms only must not tell the two kinds by how recordings end
    info["last_50_ms_roc_area"] = last_moment(train, dev)
    curve = turns / "learning_curve.png"
    draw_curve(metrics, curve, ("train/entropy", "train, cross-entropy"), ("dev/entropy", "dev/roc_area"))
    attached = {path.name: path.read_bytes() for path in (metrics, curve)}
    attached[COMBINATION] = combination.to_json().encode()
    save_turn_voice(output, TurnVoiceModel(network, info), card(info, combination), attached)
    stdout().print(card(info, combination), markup=False)


def said(
    texts: TurnEndModel, network: TurnVoiceNetwork, turns: Sequence[HeardTurn]
) -> tuple[list[float], list[float], list[bool]]:
    """Log-odds by text and by voice of turns that have a text, and what is true."""
    own = [turn for turn in turns if turn.text]
    return (
        [texts.log_odds(turn.text, turn.language) for turn in own],
        heard_log_odds(network, own),
        [turn.finished for turn in own],
    )


def rows_of(
    part: str, turns: Sequence[HeardTurn], texts: TurnEndModel, network: TurnVoiceNetwork, combination: Combination
) -> list[dict[str, Any]]:
    """How well text, voice and both tell turns."""
    text, voice, finished = (np.array(own) for own in said(texts, network, turns))
    both = combination.bias + combination.text * text + combination.voice * voice
    rows = []
    for name, scores in (("text", text), ("voice", voice), ("both", both)):
        over, others = scores[finished], scores[~finished]
        found = found_at(over, others, FALSE_ENDS)[0]
        counts = {"over": int(finished.sum()), "not": int((~finished).sum())}
        rows.append({"set": part, "by": name, **counts, "roc_area": roc_area(over, others), "found": found})
    return rows


def card(info: Mapping[str, Any], combination: Combination) -> str:
    """The model card in Markdown."""
    lines = [
        f"# {info['name']}",
        "",
        "Whether somebody has finished or only pauses, from the voice: log-mel frames of the last four seconds before "
        "a pause, depthwise convolutions, attention pooling. What it says is combined with what the text says: "
        f"{combination.bias:.2f} + {combination.text:.2f} text + {combination.voice:.2f} voice (log-odds).",
        "",
        f"Trained for {info['epochs']} epochs ({info['minutes']} minutes of one core that had other work) on "
        f"{sum(info['turns'].values())} turns: clips of the corpus, whole, and cut between words that forced alignment "
        "found, with the same ends and noise. See `docs/end_of_turn.md`.",
        "",
        "| turns | by | over, not | ROC area | found with 5 % false |",
        "|---|---|---|---|---|",
        *[
            f"| {row['set']} | {row['by']} | {row['over']}, {row['not']} | {row['roc_area']:.2f} | {row['found']:.2f} |"
            for row in info["rows"]
        ],
        "",
        "The same network without what lies before the last 50 ms, where only the ends of recordings could tell them "
        f"apart: ROC area {info['last_50_ms_roc_area']:.2f} on dev.",
        "",
        "| language | turns |",
        "|---|---|",
        *[f"| {code} | {count} |" for code, count in info["turns"].items()],
        "",
        "| source | licence |",
        "|---|---|",
        *[f"| {source} | {licence} |" for source, licence in _SOURCES],
        "",
        "![learning curve](learning_curve.png)",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    start_command(main)
