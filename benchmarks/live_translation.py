"""Simultaneous translation into English on a virtual clock: quality against latency, for every policy.

    python benchmarks/live_translation.py ROOT --model embedded --peer-model WHISPER_BASE --every 8
        --output benchmarks/results/live_translation.json

Clips of the test part longer than --least-s, in seven languages, the language given, run through live sessions
in messages of 100 ms; nothing that was written is taken back. --joined-s joins clips of one speaker to paragraphs. LAAL
(Papi et al. 2022) counts words when their audio had been received; its computation-aware form adds the CPU time of the
session on one thread. The ceiling is the translation of the file. The peer is Whisper-base (`speech import`) behind the
same policies: LocalAgreement-2 as in Whisper-Streaming (Macháček et al. 2023) and AlignAtt as in SimulStreaming (Papi
et al. 2023).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clips import GAP_S, every_nth, paragraphs, save
from rich.console import Console
from rich.progress import track
from rich.table import Table
from timing import machine
from translation import ENGLISH, LANGUAGES

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.decode.endpoint import EndpointConfig
from speech.metrics.latency import Emission, length_adaptive_average_lagging
from speech.metrics.translation import BLEU, CHRF, translation_figures
from speech.models.hub import EMBEDDED
from speech.recognizer import Recognizer
from speech.stream.engine import Engine
from speech.stream.options import StreamOptions, TranslationOptions
from speech.stream.virtual_clock import run_session
from speech.translate.align_att import AlignAtt
from speech.translate.emma import Emma
from speech.translate.hold_n import HoldN
from speech.translate.local_agreement import LocalAgreement
from speech.translate.wait_k import WaitK

SETTINGS = {
    **{
        f"align_att {margin_s:g} s": TranslationOptions(policy=AlignAtt(margin_s=margin_s))
        for margin_s in (0.8, 1.6, 2.4)
    },
    **{
        f"local_agreement {step_s:g} s": TranslationOptions(policy=LocalAgreement(), step_s=step_s)
        for step_s in (0.64, 1.0, 1.6)
    },
    **{f"hold_n {n}": TranslationOptions(policy=HoldN(n=n)) for n in (2, 4, 8)},
    **{f"wait_k {k}": TranslationOptions(policy=WaitK(k=k)) for k in (3, 5, 8)},
    **{f"emma {least:g}": TranslationOptions(policy=Emma(threshold=least)) for least in (0.3, 0.5, 0.7)},
    "complete parts": None,
}
"""Options by name; None: a part is translated when it is complete."""


@dataclass(slots=True)
class Run:
    """One setting over all clips."""

    texts: list[str] = field(default_factory=list)
    lagging_s: list[float] = field(default_factory=list)
    aware_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


def main(
    root: Path,
    model: str = EMBEDDED,
    peer_model: Annotated[Path | None, typer.Option(help="Whisper-base, as `speech import` writes it.")] = None,
    every: Annotated[int, typer.Option(help="Hear only each N-th utterance of a language.")] = 1,
    least_s: Annotated[float, typer.Option(help="Leave out shorter clips.")] = 4.0,
    joined_s: Annotated[float, typer.Option(help="Join clips of one speaker up to this length; 0: no.")] = 0.0,
    silence_s: Annotated[float, typer.Option(help="Pause that ends a part.")] = 0.5,
    only: Annotated[str, typer.Option(help="Settings whose names contain one of these, separated by commas.")] = "",
    output: Annotated[Path | None, typer.Option(help="Write figures and texts as JSON.")] = None,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    utterances = [u for u in read_manifest(root / "test.jsonl", root) if u.translations.get(ENGLISH)]
    joined = [whole(own) for own in paragraphs(utterances, joined_s)] if joined_s else utterances
    clips = every_nth([u for u in joined if u.duration_s > least_s], every, LANGUAGES)
    parts = {u.id: u for u in utterances}
    systems = {"ours": Recognizer.from_pretrained(model, measured_targets=False)}
    if peer_model is not None:
        systems["peer"] = Recognizer.from_pretrained(str(peer_model), measured_targets=False)
    audio = [samples_of([parts[name] for name in clip.id.split("+")]) for clip in clips]
    console = Console(highlight=False, width=120)
    record: dict[str, Any] = {"machine": machine(), "every": every, "clips": len(clips), "silence_s": silence_s}
    record |= {
        "joined_s": joined_s,
        "seconds": round(sum(map(len, audio)) / SAMPLE_RATE, 1),
        "settings": {},
        "texts": {},
    }
    for name, options in [("whole files", None), *SETTINGS.items()]:
        for system, recognizer in systems.items():
            peer_runs = ("local_agreement", "align_att", "whole")
            if not any(part in name for part in only.split(",")) or (
                system == "peer" and not name.startswith(peer_runs)
            ):
                continue
            if name.startswith("emma") and not recognizer.trained_policy:
                continue
            label = f"{system}: {name}"
            rules = EndpointConfig(silence_s=silence_s)
            run = (
                files(recognizer, clips, audio)
                if name == "whole files"
                else live(recognizer.engine(), clips, audio, options, rules, label)
            )
            record["settings"][label] = scored(clips, audio, run)
            record["texts"][label] = run.texts
            console.print(label, record["settings"][label]["all"])
            save(output, record)
    show(console, record)


def whole(utterances: Sequence[Utterance]) -> Utterance:
    """Several utterances as one, whose id names them all."""
    return replace(
        utterances[0],
        id="+".join(u.id for u in utterances),
        duration_s=sum(u.duration_s for u in utterances) + GAP_S * (len(utterances) - 1),
        translations={ENGLISH: " ".join(u.translations[ENGLISH] for u in utterances)},
    )


def samples_of(utterances: Sequence[Utterance]) -> np.ndarray:
    """Their audio `(n,)`, with pauses between them."""
    pause = np.zeros(round(GAP_S * SAMPLE_RATE), np.float32)
    return np.concatenate([part for u in utterances for part in (pause, load_audio(u.audio))][1:])


def files(recognizer: Recognizer, clips: Sequence[Utterance], audio: Sequence[np.ndarray]) -> Run:
    """Translations of whole files."""
    run = Run()
    for clip, samples in zip(clips, audio, strict=True):
        began = time.process_time()
        run.texts.append(recognizer.transcribe(samples, language=clip.language, to=ENGLISH).text)
        run.cpu_s += time.process_time() - began
    return run


def live(
    engine: Engine,
    clips: Sequence[Utterance],
    audio: Sequence[np.ndarray],
    options: TranslationOptions | None,
    rules: EndpointConfig,
    label: str,
) -> Run:
    """Translations of live sessions, with the latency of their words."""
    run = Run()
    for clip, samples in track([*zip(clips, audio, strict=True)], description=label, transient=True):
        stream = StreamOptions(
            languages=(clip.language,),
            targets=(ENGLISH,),
            interim=False,
            endpoint=rules,
            translation=None if options is None else replace(options, append=True),
        )
        session = run_session(engine, samples, stream, time.process_time)
        reference = len(clip.translations[ENGLISH].split())
        run.texts.append(session.translation().text)
        for values, aware in ((run.lagging_s, False), (run.aware_s, True)):
            delays = session.translation(computation_aware=aware).emitted_s
            found = length_adaptive_average_lagging(Emission(delays, session.duration_s, reference))
            values += [] if found is None else [found]
        run.cpu_s += session.computed_s
    return run


def scored(clips: Sequence[Utterance], audio: Sequence[np.ndarray], run: Run) -> dict[str, Any]:
    """chrF and BLEU by language and overall, mean LAAL, CPU time per second of audio."""
    references = [clip.translations[ENGLISH] for clip in clips]
    figures = translation_figures(references, run.texts, [ENGLISH] * len(clips))
    found: dict[str, Any] = {}
    for code in [*LANGUAGES, "all"]:
        places = [n for n, clip in enumerate(clips) if code in (clip.language, "all")]
        if places:
            found[code] = {name: round(figures[name].over(places) or 0.0, 2) for name in (CHRF, BLEU)}
    if run.lagging_s:
        found["all"] |= {"laal_s": mean(run.lagging_s), "laal_aware_s": mean(run.aware_s)}
    found["all"]["cpu_rtf"] = round(run.cpu_s / sum(map(len, audio)) * SAMPLE_RATE, 3)
    return found


def mean(values: Sequence[float]) -> float:
    """Rounded to hundredths."""
    return round(sum(values) / len(values), 2)


def show(console: Console, record: dict[str, Any]) -> None:
    """Print the figures as a table."""
    table = Table("into English", "chrF", "BLEU", "LAAL, s", "computation-aware", "CPU a second", *LANGUAGES)
    for label, found in record["settings"].items():
        one = found["all"]
        cells = [f"{one[CHRF]:.1f}", f"{one[BLEU]:.1f}"]
        cells += [f"{one[key]:.2f}" if key in one else "" for key in ("laal_s", "laal_aware_s")]
        cells += [f"{one['cpu_rtf']:.2f}", *(f"{found[code][CHRF]:.0f}" if code in found else "" for code in LANGUAGES)]
        table.add_row(label, *cells)
    console.print({key: value for key, value in record.items() if key not in ("settings", "texts")})
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
