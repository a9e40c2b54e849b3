"""Make a corpus of phonemes, durations and speech with a teacher:

    uv run --extra tts --group teachers python recipes/tts/teacher_corpus.py OUTPUT \\
        --language spa --texts /usr/share/help --packs VOICES --voices ef_dora,em_alex --hours 2

Writes FLAC audio at 24 kHz; train.jsonl and dev.jsonl, whose texts are phonemes; written.jsonl, the same utterances
with the texts as written; alignments/{train,dev}.safetensors, seconds of each phoneme; and a card with the licences.
Sentences are drawn with the seed, and so is the voice of each. An interrupted run resumes.

Teachers are hibari-tts (voice `heart`, English only) and Kokoro-82M (the file name of any of its voices).
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from help_pages import SOURCE, help_sentences
from phonemes import Phonemize, phonemizer
from rich.progress import Progress
from safetensors.numpy import save
from teachers import FRAME_S, SAMPLE_RATE, Hibari, Kokoro, Teacher

from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, write_manifest
from speech.errors import ConfigError, DataError, SpeechError
from speech.files import check_writable, write_atomically
from speech.text.languages import resolve

HEART = "heart"
"""The voice of hibari."""
_DEV = 50
"""Every so many utterances one is for dev."""
_MOST_SENTENCES, _MOST_SIGNS = 3, 260
"""Maximum sentences and characters of an utterance."""

_log = logging.getLogger(__name__)


class Voice:
    """A voice of a teacher and its phonemes."""

    def __init__(self, name: str, language: str, packs: Path | None) -> None:
        self.name, self.teacher = name, _teacher(name, language, packs)
        self.phonemes: Phonemize = phonemizer(language, name)


def main(
    output: Annotated[Path, typer.Argument(help="Folder for audio, manifests, alignments and card.")],
    texts: Annotated[Path, typer.Option(help="Folder of help pages: usr/share/help of Debian's gnome-user-docs.")],
    language: Annotated[str, typer.Option(help="Spoken language.")] = "eng",
    voices: Annotated[str, typer.Option(help="With commas between; `heart` is that of hibari.")] = HEART,
    packs: Annotated[Path | None, typer.Option(help="Folder with the voices of Kokoro, NAME.bin.")] = None,
    hours: Annotated[float, typer.Option(help="Of speech.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Decides order and voices.", min=0)] = 0,
) -> None:
    """Make a corpus of phonemes, durations and speech with a teacher."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if not 0 < hours < float("inf"):
        raise ConfigError(f"--hours {hours:g}, expected more than 0")
    code = resolve(language).code
    names = list(dict.fromkeys(name.strip() for name in voices.split(",") if name.strip()))
    if not names:
        raise ConfigError("--voices names none")
    check_writable(output)
    found = help_sentences(texts, code)
    chosen = [Voice(name, code, packs) for name in names]
    made = list(_made(chosen, found, code, output, 3600 * hours, seed))
    if not made:
        raise DataError("the teacher has said nothing of any use", where=str(texts))
    _write(made, chosen, output)
    minutes = sum(record["duration"] for record in made) / 60
    stdout().print(f"{output / 'train.jsonl'}: {len(made)} utterances, {minutes:.1f} minutes, {', '.join(names)}")


def _teacher(name: str, language: str, packs: Path | None) -> Teacher:
    if name == HEART:
        if language != "eng":
            raise ConfigError(f"the voice {HEART} speaks English, not {language!r}", fix="Give voices of Kokoro.")
        return Hibari()
    if packs is None:
        raise ConfigError(f"the voice {name} needs --packs", fix="Give the folder with NAME.bin of the voices.")
    return Kokoro(packs / f"{name}.bin")


def _made(
    voices: Sequence[Voice], texts: Sequence[str], language: str, output: Path, seconds: float, seed: int
) -> Iterator[dict[str, Any]]:
    """Records of utterances until there are `seconds` of speech, or all texts are said."""
    journal = output / "journal.jsonl"
    before = {record["id"]: record for record in _records(journal)}
    total_s = 0.0
    with Progress(console=stderr(), transient=True) as progress, journal.open("a", encoding="utf-8") as lines:
        task = progress.add_task("speaking", total=seconds)
        for voice, text in planned(voices, texts, seed):
            name = f"{language}-{hashlib.sha256(f'{voice.name} {text}'.encode()).hexdigest()[:16]}"
            record = before.get(name)
            if record is None:
                try:
                    record = _said(voice, text, name, language, output)
                except SpeechError as error:
                    _log.warning("%s", error)
                    continue
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
                lines.flush()
            total_s += record["duration"]
            progress.update(task, completed=min(total_s, seconds))
            yield record
            if total_s >= seconds:
                break


def _records(journal: Path) -> Iterator[dict[str, Any]]:
    """Those of an earlier run; a last line that was cut off is left out."""
    if journal.is_file():
        whole, _, rest = journal.read_text("utf-8").rpartition("\n")
        if rest:
            journal.write_text(f"{whole}\n" if whole else "", "utf-8")
        yield from (json.loads(line) for line in whole.splitlines())


def planned(voices: Sequence[Voice], texts: Sequence[str], seed: int) -> Iterator[tuple[Voice, str]]:
    """All texts in random order, one to three of them in an utterance, each utterance with a voice; then again with
    the next voices."""
    for turn in range(len(voices)):
        rng = np.random.default_rng([seed, turn])
        order, place = rng.permutation(len(texts)), 0
        while place < len(order):
            together = [texts[int(n)] for n in order[place : place + int(rng.integers(1, _MOST_SENTENCES + 1))]]
            while len(together) > 1 and sum(map(len, together)) > _MOST_SIGNS:
                together.pop()
            place += len(together)
            yield voices[int(rng.integers(len(voices)))], " ".join(together)


def _said(voice: Voice, text: str, name: str, language: str, output: Path) -> dict[str, Any]:
    """Say a text, write its audio, and give its record."""
    said = voice.teacher(voice.phonemes(text))
    path = output / "audio" / voice.name / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = io.BytesIO()
    soundfile.write(encoded, said.samples.clip(-1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    write_atomically(path, encoded.getvalue())
    source, licence = voice.teacher.source
    return {
        "id": name,
        "audio": str(path.relative_to(output)),
        "duration": round(len(said.samples) / SAMPLE_RATE, 3),
        "lang": language,
        "speaker": voice.name,
        "text": text,
        "symbols": said.symbols,
        "frames": said.durations.tolist(),
        "source": f"{source}, text: {SOURCE[0]}",
        "licence": f"speech: {licence}, text: {SOURCE[1]}",
    }


def _write(records: Sequence[Mapping[str, Any]], voices: Sequence[Voice], output: Path) -> None:
    root = output.absolute()
    written = [
        Utterance(
            id=record["id"], audio=root / record["audio"], duration_s=record["duration"], language=record["lang"],
            text=record["text"], speaker=record["speaker"], source=record["source"], licence=record["licence"],
        )
        for record in records
    ]  # fmt: skip
    said = [replace(one, text=record["symbols"]) for one, record in zip(written, records, strict=True)]
    durations = {record["id"]: np.float32(FRAME_S) * np.array(record["frames"], np.float32) for record in records}
    write_manifest(written, output / "written.jsonl")
    (output / "alignments").mkdir(exist_ok=True)
    for part, own in (("train", [u for n, u in enumerate(said) if n % _DEV]), ("dev", said[::_DEV])):
        write_manifest(own, output / f"{part}.jsonl")
        write_atomically(output / "alignments" / f"{part}.safetensors", save({u.id: durations[u.id] for u in own}))
    write_atomically(output / "README.md", card(written, voices))


def card(utterances: Sequence[Utterance], voices: Sequence[Voice]) -> str:
    """The card in Markdown: voices, sources and licences."""
    lines = ["# Speech of a teacher", "", "To train a voice on; not to measure by.", ""]
    lines += ["| voice | teacher | minutes |", "|---|---|---|"]
    for voice in voices:
        minutes = sum(u.duration_s for u in utterances if u.speaker == voice.name) / 60
        lines.append(f"| {voice.name} | {voice.teacher.source[0]} | {minutes:.1f} |")
    lines += ["", "| source | licence |", "|---|---|"]
    lines += [f"| {source} | {licence} |" for source, licence in sorted({(u.source, u.licence) for u in utterances})]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    start_command(main)
