"""Profile of recognition: time per part on short clips and on 30 s windows, compared with the limits of the machine.

    uv run --extra train --group peers benchmarks/shares.py ROOT --model DIR --peer-model WHISPER_BASE
        --output benchmarks/results/shares.json

Times are CPU seconds of one thread, and each part excludes the parts that it calls. The limit of an encoder is its
products at the rate of large int8 (float32) products. The limit of a label decoder step is the larger of its products
and the weight bytes that it reads over the bandwidth of an array of that size. Both rates are measured in the same run;
attention and norms count as free. A window is a concatenation of clips of one language, cut at pauses like every file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clips import every_nth, save
from limits import Machine, Weights, bandwidth, measured, weights
from peer import CODES, Peer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from timing import Spent, Stopwatch, machine

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.audio.vad import Vad
from speech.data.manifest import Utterance, read_manifest
from speech.models.hub import EMBEDDED
from speech.nn.decoder.compiled import CompiledDecoder
from speech.recognize import label_candidates, label_pass
from speech.recognize.full_context import FullContextPass
from speech.recognizer import Recognizer

LONG_S, WINDOW_S = 8.0, 30.0
READING, VOICE, REST = "reading", "voice detector", "rest"
CTC, CTC_TEXT, JUDGING = "CTC encoder", "CTC decoding", "CTC's score of texts"
LABEL, START, STEPS = "label encoder", "label decoder, prompts and whole texts", "label decoder, steps"
SEARCH, ALIGNMENT = "search", "alignment"
PARTS = (READING, VOICE, CTC, CTC_TEXT, LABEL, START, STEPS, SEARCH, JUDGING, ALIGNMENT, REST)


def main(
    root: Path,
    model: str = EMBEDDED,
    peer_model: Annotated[Path | None, typer.Option(help="Whisper-base, as CTranslate2 has it.")] = None,
    every: Annotated[int, typer.Option(help="Hear only each N-th short utterance of a language.")] = 40,
    most: Annotated[int, typer.Option(help="Windows of 30 s.")] = 10,
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Print a table for each kind of audio."""
    torch.set_num_threads(1)
    recognizer = Recognizer.from_pretrained(model)
    peer = Peer(peer_model) if peer_model is not None else None
    second_pass = recognizer.engine().second_pass
    watch, work = Stopwatch(), Counter[str]()
    watched(watch, work, second_pass)
    clips = read_manifest(root / "test.jsonl", root)
    short = [[clip] for clip in every_nth([clip for clip in clips if clip.duration_s < LONG_S], every)]
    rates = measured()
    speeds = {name: bandwidth(size) for name, size in sizes(second_pass).items()}
    console = Console(highlight=False, width=120)
    record: dict[str, Any] = {"machine": machine(), "peer": peer.name if peer is not None else ""}
    record |= {"int8_gops": round(rates.int8 / 1e9, 1), "float32_gflops": round(rates.float32 / 1e9, 1)}
    record["bandwidth_gb_s"] = {name: round(speed / 1e9, 1) for name, speed in speeds.items()}
    console.print(record)
    listen(recognizer, [clips[0]], watch)  # warm-up: compiles
    groups = ((f"under {LONG_S:.0f} s", short), (f"{WINDOW_S:.0f} s", joined(clips, most)))
    for name, some in [(name, some) for name, some in groups if some]:
        watch.clear()
        work.clear()
        audio_s = sum(
            listen(recognizer, own, watch) for own in track(some, description=name, transient=True, console=console)
        )
        least = limits(second_pass, work, rates, speeds)
        found = {"clips": len(some), "seconds": round(audio_s, 1), "parts": shares(watch, least, audio_s)}
        found["steps"] = steps(watch, work, least)
        if peer is not None:
            told = [own for own in some if own[0].language in CODES]
            found["peer_rtf"] = by_peer(peer, told)
        record[name] = found
        show(console, name, found)
        save(output, record)


def watched(watch: Stopwatch, work: Counter[str], second_pass: FullContextPass) -> None:
    """Instrument the parts of a recogniser: time them and count their frames, tokens and steps."""
    watch.within(Vad, "steps", VOICE)
    watch.within(second_pass, "encode", CTC)
    watch.within(second_pass.decoder, "spans", CTC_TEXT)
    watch.within(second_pass.decoder, "log_probs", CTC_TEXT)
    counted(second_pass.model, "encode", lambda result: {CTC: result[0].shape[0] * result[0].shape[1]}, work)
    label = second_pass.label
    if label is None:
        return
    watch.within(label, "read", SEARCH)
    watch.within(label, "listen", LABEL)
    watch.within(label.times, "transcribed", ALIGNMENT)
    watch.within(label.model, "begin", START)
    for module, name in ((label_pass, "score"), (label_candidates, "score"), (label_candidates, "likeliest_prefix")):
        watch.within(module, name, JUDGING)
    counted(label.model, "encode", lambda result: {LABEL: result[0].shape[0] * result[0].shape[1]}, work)
    step, logits = label.model.step, label.model.logits
    last = START  # section that the next logits belong to

    def stepped(tokens: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        nonlocal last
        last = STEPS if tokens.shape[1] == 1 else START
        work[last] += tokens.numel()
        work["steps"] += last == STEPS
        with watch.section(last):
            return step(tokens, *args, **kwargs)

    def scored(x: torch.Tensor) -> torch.Tensor:
        with watch.section(last):
            return logits(x)

    label.model.step, label.model.logits = stepped, scored  # type: ignore[method-assign]


def counted(owner: Any, name: str, count: Any, work: Counter[str]) -> None:
    """Wrap `owner.name(..)` so that it adds `count(result)` to `work`."""
    call = getattr(owner, name)

    def counting(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        work.update(count(result))
        return result

    setattr(owner, name, counting)


def listen(recognizer: Recognizer, clips: Sequence[Utterance], watch: Stopwatch) -> float:
    """Transcribe clips as one recording; return its duration in seconds."""
    with watch.section(READING):
        samples = np.concatenate([load_audio(clip.audio) for clip in clips])
    with watch.section(REST):
        recognizer.transcribe(samples)
    return len(samples) / SAMPLE_RATE


def joined(clips: Sequence[Utterance], most: int) -> list[list[Utterance]]:
    """Groups of clips that last nearly 30 s, one per language and source, at most `most`."""
    found: list[list[Utterance]] = []
    groups: dict[tuple[str, str], list[Utterance]] = {}
    for clip in clips:
        groups.setdefault((clip.language, clip.source), []).append(clip)
    for own in groups.values():
        window: list[Utterance] = []
        for clip in own:
            if sum(c.duration_s for c in window) + clip.duration_s > WINDOW_S:
                break
            window.append(clip)
        if sum(c.duration_s for c in window) > 0.8 * WINDOW_S:
            found.append(window)
    return found[:most]


def sizes(second_pass: FullContextPass) -> dict[str, int]:
    """Sizes in bytes of the arrays whose bandwidth is measured."""
    found = {"1 GiB": 1 << 30}
    if second_pass.label is not None:
        found[STEPS] = of_a_step(second_pass).bytes
    return found


def of_a_step(second_pass: FullContextPass) -> Weights:
    """Weights that a label decoder step reads: all but those of cross-attention keys and values."""
    assert second_pass.label is not None
    decoder: Any = second_pass.label.model.decoder  # type: ignore[attr-defined]
    if isinstance(decoder, CompiledDecoder):
        return weights(decoder)
    return weights(decoder, [own for layer in decoder.layers for own in (layer.cross.key, layer.cross.value)])


def limits(
    second_pass: FullContextPass, work: Counter[str], rates: Machine, speeds: dict[str, float]
) -> dict[str, float]:
    """Minimum seconds that the work of the parts could take."""
    ctc: Any = second_pass.model
    fed_back = weights(ctc.conditioning) if ctc.conditioning is not None else Weights()
    least = {CTC: rates.products_s(weights(ctc.encoder) + fed_back, work[CTC])}
    if second_pass.label is None:
        return least
    model, own = second_pass.label.model, of_a_step(second_pass)
    least[LABEL] = rates.products_s(weights(model.encoder), work[LABEL])  # type: ignore[attr-defined]
    read_s = work["steps"] * own.bytes / speeds[STEPS]
    least[STEPS] = max(read_s, rates.products_s(own, work[STEPS]))
    return least


def shares(watch: Stopwatch, least: dict[str, float], audio_s: float) -> dict[str, Any]:
    """RTF, share of total time, and limit of the RTF, for each part."""
    seconds = dict(watch.seconds)
    whole = sum(seconds.values()) or 1.0
    found: dict[str, Any] = {}
    for name in PARTS:
        if name in seconds:
            found[name] = {"rtf": round(seconds[name] / audio_s, 5), "share": round(seconds[name] / whole, 4)}
        if name in least:
            found[name]["limit_rtf"] = round(least[name] / audio_s, 5)
    found["all"] = {
        "rtf": round(whole / audio_s, 5),
        "share": 1.0,
        "limit_rtf": round(sum(least.values()) / audio_s, 5),
    }
    return found


def steps(watch: Stopwatch, work: Counter[str], least: dict[str, float]) -> dict[str, float]:
    """Milliseconds of a label decoder step, measured and at the limit."""
    count = work["steps"]
    if not count:
        return {}
    found = {"steps": count, "hypotheses a step": round(work[STEPS] / count, 2)}
    return found | {
        "ms": round(1000 * watch.seconds[STEPS] / count, 2),
        "limit_ms": round(1000 * least[STEPS] / count, 2),
    }


def by_peer(peer: Peer, windows: Sequence[Sequence[Utterance]]) -> dict[str, float]:
    """Real-time factors of the peer, with the language given."""
    spent, audio_s = Spent(), 0.0
    for clips in windows:
        samples = np.concatenate([load_audio(clip.audio) for clip in clips])
        spent += peer.transcribe(samples, clips[0].language).spent
        audio_s += len(samples) / SAMPLE_RATE
    return spent.per(audio_s)


def show(console: Console, name: str, found: dict[str, Any]) -> None:
    """Print the profile as a table."""
    table = Table(f"{name}: {found['clips']}, {found['seconds']} s", "RTF, CPU", "share", "limit")
    for part, one in found["parts"].items():
        limit = f"{one['limit_rtf']:.4f}" if "limit_rtf" in one else ""
        table.add_row(part, f"{one['rtf']:.4f}", f"{one['share']:.1%}", limit)
    console.print(table)
    for key in ("steps", "peer_rtf"):
        if found.get(key):
            console.print(key, found[key])


if __name__ == "__main__":
    typer.run(main)
