"""Accuracy of live recognition: error rates of partials and finals against the same model offline, and hallucinations.

    uv run --extra serve benchmarks/live_accuracy.py ROOT --noise DIR_OF_MUSIC

Uses every N-th clip of the test part, with the language given. Causal: the first pass over the whole clip, decoded like
partials. Offline: the same with full context. Greedy: greedy decoding instead of beam search, causal and offline.
Final: the finals of a live session.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from serve.sessions.statistics import SessionStatistics
from speech import Recognizer
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.decode.words.words import words_from_tokens
from speech.events import EndpointEvent, TranscriptEvent
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.hub import EMBEDDED
from speech.recognize.request import Request
from speech.stream.engine import Engine, EngineConfig
from speech.stream.session import StreamOptions
from speech.text.languages import resolve
from speech.transcript import join

CHUNKS_MS = (160, 320, 640, 1280)
BLOCK = SAMPLE_RATE // 10
SILENCE = np.zeros(2 * SAMPLE_RATE, np.float32)
NOISE_S = 120


def main(
    root: Path,
    every: Annotated[int, typer.Option(help="Hear only each N-th utterance of a language.")] = 10,
    model: str = EMBEDDED,
    lookahead_ms: Annotated[int, typer.Option(help="Audio behind a chunk that the first pass sees.")] = 160,
    noise: Annotated[Path | None, typer.Option(help="Files without speech, such as music.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Print both tables."""
    recognizer, greedy = Recognizer.from_pretrained(model), Recognizer.from_pretrained(model, beam=1)
    known = set(recognizer.languages)
    heard = sorted(read_manifest(root / "test.jsonl", root), key=lambda u: u.id)
    clips = [u for code in sorted(known) for u in [u for u in heard if u.language == code][::every]]
    audio = {u.id: load_audio(u.audio) for u in clips}
    console = Console(highlight=False)
    offline = {
        "offline": total(clips, [recognizer.transcribe(audio[u.id], language=u.language).text for u in seen(clips)]),
        "offline, greedy": total(
            clips, [greedy.transcribe(audio[u.id], language=u.language).text for u in seen(clips)]
        ),
    }
    record = {name: counts.rate for name, counts in offline.items()}
    record |= {"utterances": len(clips), "lookahead_ms": lookahead_ms, "chunks": {}}
    table = Table("chunk", "causal", "to offline", "greedy", "to offline", "final", "to offline", "erasure", box=None)
    frame_ms = recognizer.frame_s * 1000
    for chunk_ms in CHUNKS_MS:
        config = EngineConfig(chunk=round(chunk_ms / frame_ms), right_context=round(lookahead_ms / frame_ms))
        engine, plain = recognizer.engine(config), greedy.engine(config)
        causal = total(clips, [causally(engine, audio[u.id], u.language) for u in seen(clips)]).rate
        best = total(clips, [causally(plain, audio[u.id], u.language) for u in seen(clips)]).rate
        texts, erased, words = [], 0.0, 0
        for u in seen(clips):
            text, erasure, count = live(engine, audio[u.id], u.language)
            texts.append(text)
            erased, words = erased + erasure * count, words + count
        final = total(clips, texts).rate
        row = {"causal": causal, "greedy": best, "final": final, "erasure": erased / max(words, 1)}
        record["chunks"][chunk_ms] = row
        table.add_row(
            f"{chunk_ms} ms", f"{causal:.3f}", f"{causal / offline['offline'].rate - 1:+.1%}",
            f"{best:.3f}", f"{best / offline['offline, greedy'].rate - 1:+.1%}",
            f"{final:.3f}", f"{final / offline['offline'].rate - 1:+.1%}", f"{row['erasure']:.2f}",
        )  # fmt: skip
    console.print(f"{len(clips)} utterances; " + ", ".join(f"{n}: {c.rate:.3f}" for n, c in offline.items()))
    console.print(table)
    record["words per minute"] = invented(console, recognizer, noise)
    if output is not None:
        output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def seen(clips: list[Utterance]) -> list[Utterance]:
    """The clips, with a progress bar."""
    return list(track(clips, transient=True))


def total(clips: list[Utterance], texts: list[str]) -> ErrorCounts:
    """Total errors over all clips."""
    counts = [text_errors(u.text, text, u.languages).words for u, text in zip(clips, texts, strict=True)]
    return sum(counts[1:], counts[0])


def causally(engine: Engine, samples: np.ndarray, code: str) -> str:
    """Text of a clip from the first pass alone."""
    second, first, size = engine.second_pass, engine.first_pass, engine.config.chunk
    request = Request((code,))
    stream = first.begin(
        request.prefix(second.tokenizer.vocabulary), 0, second.decoder.tokens.forbidden(request.written)
    )
    stream.feed(np.concatenate([samples, SILENCE]))
    while stream.features >= first.missing(stream, size):
        first.step([stream], size)
    words = words_from_tokens(
        stream.spans(0, (code,)), second.tokenizer.piece, frame_s=second.model.frame_s, offset_s=0.0,
        duration_s=(len(samples) + len(SILENCE)) / SAMPLE_RATE, language=code, spaces=resolve(code).spaces,
    )  # fmt: skip
    return join(words)


def live(engine: Engine, samples: np.ndarray, code: str | None) -> tuple[str, float, int]:
    """Text, normalised erasure and number of words of a live session."""
    session = engine.open(StreamOptions(languages=(code,) if code else ()))
    events = []
    for start in range(0, len(samples), BLOCK):
        events += session.accept(samples[start : start + BLOCK])
    events += session.finish()
    statistics = SessionStatistics()
    texts = []
    for event in events:
        if isinstance(event, EndpointEvent):
            statistics.endpoint(event)
        elif isinstance(event, TranscriptEvent):
            statistics.transcript(event, event.audio_s)
            texts += [event.text] if event.is_final else []
    return " ".join(texts), statistics.latency(1.0).normalized_erasure, statistics.words


def invented(console: Console, recognizer: Recognizer, folder: Path | None) -> dict[str, dict[str, float]]:
    """Hallucinations per minute in sounds without speech: words in finals, and partials with words."""
    rng = np.random.default_rng(0)
    white = rng.standard_normal(NOISE_S * SAMPLE_RATE).astype(np.float32)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(np.arange(len(white) // 2 + 1), 20.0)))
    pink = (pink / pink.std()).astype(np.float32)
    sounds = {"digital silence": np.zeros(NOISE_S * SAMPLE_RATE, np.float32)}
    for decibels in (-60, -40, -20):
        gain = np.float32(10 ** (decibels / 20))
        sounds |= {f"white noise, {decibels} dB": gain * white, f"pink noise, {decibels} dB": gain * pink}
    for path in sorted(folder.iterdir()) if folder is not None else []:
        sounds[path.stem] = load_audio(path)[: NOISE_S * SAMPLE_RATE]
    found = {}
    table = Table("sound", "s", "words per minute, final", "shown and taken back", box=None)
    for name, samples in sounds.items():
        minutes = len(samples) / SAMPLE_RATE / 60
        session = recognizer.engine().open()
        finals = shown = 0
        for start in range(0, len(samples), BLOCK):
            for event in session.accept(samples[start : start + BLOCK]):
                if isinstance(event, TranscriptEvent):
                    finals += len(event.words) if event.is_final else 0
                    shown += 0 if event.is_final else len(event.words) > 0
        for event in session.finish():
            finals += len(event.words) if isinstance(event, TranscriptEvent) and event.is_final else 0
        found[name] = {"final": finals / minutes, "partials": shown / minutes}
        table.add_row(name, f"{minutes * 60:.0f}", f"{finals / minutes:.1f}", f"{shown / minutes:.1f} partials")
    console.print(table)
    return found


if __name__ == "__main__":
    typer.run(main)
