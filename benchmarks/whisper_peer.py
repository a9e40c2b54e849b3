"""Transcribes a manifest with the peer, Whisper-base through faster-whisper: int8, beam 5, language given (of
code-switched speech the one of most words).

    uv run --group peers benchmarks/whisper_peer.py MODEL_DIR MANIFEST --output results.jsonl

MODEL_DIR is a CTranslate2 conversion of openai/whisper-base. Finished utterances are kept: it resumes.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import soundfile
import soxr
import typer
from faster_whisper import WhisperModel
from rich.progress import track

# Languages that Whisper does not know have no code here.
CODES = {
    "eng": "en", "deu": "de", "fra": "fr", "spa": "es", "ita": "it", "rus": "ru", "ron": "ro", "cat": "ca",
    "bel": "be", "bul": "bg", "ell": "el", "cmn": "zh", "por": "pt", "dan": "da", "nld": "nl", "slv": "sl",
    "tur": "tr", "fin": "fi", "swe": "sv", "hin": "hi", "ara": "ar", "eus": "eu", "lit": "lt", "nno": "nn",
    "slk": "sk", "pol": "pl", "heb": "he", "hun": "hu", "mal": "ml", "ces": "cs", "bre": "br", "kor": "ko",
    "jpn": "ja",
}  # fmt: skip


def main(
    model: Path,
    manifest: Path,
    output: Annotated[Path, typer.Option()],
    every: Annotated[int, typer.Option(help="Hear only each N-th utterance of a language.")] = 1,
    limit: int = 0,
    threads: int = 2,
) -> None:
    """Write one JSON line per utterance: id, lang, duration, text, seconds."""
    rows = [json.loads(line) for line in manifest.open(encoding="utf-8")]
    order = list(CODES)
    rows = [row for row in rows if all(word["language"] in CODES for word in row.get("words", []))]
    by_language = {code: sorted((r for r in rows if r["lang"] == code), key=lambda r: r["id"]) for code in order}
    rows = [row for code in order for row in by_language[code][::every]]
    done = {json.loads(line)["id"] for line in output.open(encoding="utf-8")} if output.is_file() else set()
    todo = [row for row in rows if row["id"] not in done][: limit or None]
    whisper = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads)
    with output.open("a", encoding="utf-8") as file:
        for row in track(todo, description="whisper-base"):
            samples, rate = soundfile.read(manifest.parent / row["audio"], dtype="float32", always_2d=True)
            mono = soxr.resample(samples.mean(axis=1), rate, 16000)
            start = time.perf_counter()
            segments, _ = whisper.transcribe(
                mono, language=CODES[row["lang"]], beam_size=5, condition_on_previous_text=False
            )
            text = " ".join(segment.text.strip() for segment in segments)
            seconds = round(time.perf_counter() - start, 4)
            record = {"id": row["id"], "lang": row["lang"], "duration": row["duration"], "text": text}
            file.write(json.dumps(record | {"seconds": seconds}, ensure_ascii=False) + "\n")
            file.flush()


if __name__ == "__main__":
    typer.run(main)
