"""Comparison of systems on code-switched speech: WER, MER, PIER, errors at switches, SAER, with intervals.

    python benchmarks/code_switching.py MANIFEST --peer whisper.jsonl --model before=embedded --model after=DIR
        [--quick ctc=embedded] [--save unseen_speakers]

A model may also be a file of `speech transcribe --format jsonl`. `benchmarks/whisper_peer.py` writes the peer's file;
utterances missing there (languages that Whisper lacks) are left out for all systems.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from speech.data.manifest import Utterance, read_manifest
from speech.data.texts import read_texts
from speech.errors import SpeechError
from speech.metrics.meaning.saer import saer
from speech.metrics.meaning.semantic import MultilingualE5
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.systems import SystemScore, compare, score_system
from speech.metrics.utterance import Known, Pairing, score_utterance
from speech.recognize.request import Request
from speech.recognizer import Recognizer

RESULT = Path(__file__).parent / "results" / "code_switching.json"
COLUMNS = {"wer": "WER", "mer": "MER", "pier": "PIER", "switch": "at switches", "saer": "SAER"}

Said = dict[str, tuple[str, Known]]
"""Id -> text, and words with languages."""


def main(
    manifest: Path,
    peer: Annotated[Path, typer.Option(help="What Whisper-base heard.")],
    model: Annotated[list[str], typer.Option(help="NAME=MODEL, as often as wanted.")],
    quick: Annotated[list[str] | None, typer.Option(help="NAME=MODEL, read by CTC alone.")] = None,
    save: Annotated[str, typer.Option(help="Name of the record.")] = "",
    beam: int | None = None,
) -> None:
    """Transcribe with each model and score all systems."""
    console = Console(highlight=False)
    heard = {"whisper-base": {key: (text.text, ()) for key, text in read_texts(peer).items()}}
    utterances = [u for u in read_manifest(manifest) if u.id in heard["whisper-base"]]
    for given in (*model, *(quick or ())):
        name, _, folder = given.partition("=")
        if folder.endswith(".jsonl"):
            heard[name] = _written(Path(folder))
            continue
        asked = Request(quick=given in (quick or ()))
        heard[name] = _transcribed(name, Recognizer.from_pretrained(folder, beam=beam), utterances, asked)
    vectors = Vectors(MultilingualE5())
    systems = [_scored(name, utterances, said, vectors) for name, said in heard.items()]
    differences = [compare(systems[0], system) for system in systems[1:]]
    minutes = sum(u.duration_s for u in utterances) / 60
    table = Table(title=f"{manifest.name}: {len(utterances)} utterances, {minutes:.1f} min", title_justify="left")
    for heading in ("", *COLUMNS.values(), "language of words"):
        table.add_column(heading)
    for system in systems:
        sure = [system.intervals[name] for name in COLUMNS]
        cells = [f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in sure]
        told = system.total.attributed
        table.add_row(system.name, *cells, "" if system is systems[0] else f"{told.rate:.3f}")
    console.print(table, systems[0].signature)
    for system, found in zip(systems[1:], differences, strict=True):
        gains = [f"{COLUMNS[n]} {_relative(systems[0], system, n):+.1%} (p {found[n].p:.3f})" for n in COLUMNS]
        console.print(f"{system.name} against {systems[0].name}: {', '.join(gains)}")
    if save:
        record = {
            "utterances": len(utterances),
            "minutes": round(minutes, 1),
            "signature": systems[0].signature,
            "systems": {system.name: _record(systems[0], system) for system in systems},
        }
        kept = json.loads(RESULT.read_text("utf-8")) if RESULT.is_file() else {}
        RESULT.write_text(json.dumps(kept | {save: record}, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _transcribed(name: str, recognizer: Recognizer, utterances: list[Utterance], asked: Request) -> Said:
    found: Said = {}
    for utterance in track(utterances, description=name):
        [(_, transcript)] = recognizer.transcribe_files([utterance.audio], asked)
        if isinstance(transcript, SpeechError):
            raise transcript
        words = tuple((word.text, word.language) for word in transcript.words)
        found[utterance.id] = transcript.text, words
    return found


def _written(file: Path) -> Said:
    return {
        key: (text.text, tuple((word.text, word.language) for word in text.words))
        for key, text in read_texts(file).items()
    }


def _scored(name: str, utterances: list[Utterance], said: Said, vectors: Vectors) -> SystemScore:
    pairings = [
        Pairing(
            u.text,
            said[u.id][0],
            u.languages,
            u.id,
            reference_words=tuple((word.text, word.language) for word in u.words),
            hypothesis_words=said[u.id][1],
        )
        for u in utterances
    ]
    scores = [score_utterance(pairing) for pairing in pairings]
    return score_system(name, scores, saer(pairings, vectors, scores=scores))


def _relative(first: SystemScore, other: SystemScore, name: str) -> float:
    return other.intervals[name].value / first.intervals[name].value - 1


def _record(first: SystemScore, system: SystemScore) -> dict[str, object]:
    rates = {
        name: [round(one.value, 4), round(one.low, 4), round(one.high, 4)]
        for name in COLUMNS
        for one in [system.intervals[name]]
    }
    relative = {name: round(_relative(first, system, name), 4) for name in COLUMNS}
    return {**rates, "against_first": relative, "language_error": round(system.total.attributed.rate, 4)}


if __name__ == "__main__":
    typer.run(main)
