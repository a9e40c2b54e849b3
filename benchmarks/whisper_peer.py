"""Transcribes a manifest with the peer, Whisper-base through faster-whisper: int8, beam 5, language given (for
code-switched speech, that of most words); with --free also without.

    uv run --group peers benchmarks/whisper_peer.py MODEL_DIR MANIFEST --output results.jsonl

MODEL_DIR is a CTranslate2 conversion of openai/whisper-base. Finished utterances are kept, so an interrupted run
resumes.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from peer import CODES, Peer
from rich.progress import track

from speech.audio.input.files import load_audio


def main(
    model: Path,
    manifest: Path,
    output: Annotated[Path, typer.Option()],
    every: Annotated[int, typer.Option(help="Hear only each N-th utterance of a language.")] = 1,
    limit: int = 0,
    threads: int = 2,
    beam: Annotated[int, typer.Option(help="Hypotheses; 1 is greedy.")] = 5,
    free: Annotated[bool, typer.Option(help="Hear each once more without its language.")] = False,
) -> None:
    """Write one JSON line per utterance: id, lang, duration, text, seconds; with --free also free, free_language,
    free_seconds."""
    rows = [json.loads(line) for line in manifest.open(encoding="utf-8")]
    order = list(CODES)
    rows = [row for row in rows if all(word["language"] in CODES for word in row.get("words", []))]
    by_language = {code: sorted((r for r in rows if r["lang"] == code), key=lambda r: r["id"]) for code in order}
    rows = [row for code in order for row in by_language[code][::every]]
    done = {json.loads(line)["id"] for line in output.open(encoding="utf-8")} if output.is_file() else set()
    todo = [row for row in rows if row["id"] not in done][: limit or None]
    peer = Peer(model, beam=beam, threads=threads)
    with output.open("a", encoding="utf-8") as file:
        for row in track(todo, description="whisper-base"):
            samples = load_audio(manifest.parent / row["audio"])
            said = peer.transcribe(samples, row["lang"])
            record = {"id": row["id"], "lang": row["lang"], "duration": row["duration"], "text": said.text}
            record["seconds"] = round(said.spent.wall_s, 4)
            if free:
                alone = peer.transcribe(samples)
                record |= {"free": alone.text, "free_language": alone.language}
                record["free_seconds"] = round(alone.spent.wall_s, 4)
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()


if __name__ == "__main__":
    typer.run(main)
