"""Cut paragraphs that are translations of each other into parallel sentences.

    python recipes/code_switching/sentences.py MANIFEST OUT --group '^az_.*_audio(\\d)'

Paragraphs whose ids match with the same first group are parallel: sentence N of one corresponds to sentence N of the
others. Paragraphs with another number of sentences than most are left out. Writes OUT/test.jsonl for `prepare.py`.
"""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.cli.recipe import start_command
from speech.data.code_switching.mixture import words_of
from speech.data.code_switching.splicing import RecordingSpan, splice, write_flac
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import ConfigError, DataError, SpeechError
from speech.files import check_writable, printable
from speech.recognizer import Recognizer

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)(?![a-z])|(?<=[。！？])\s*(?=[^\s。！？」』”])")


def main(
    manifest: Path,
    output: Path,
    group: Annotated[str, typer.Option(help="Regular expression on ids, with one group.")],
    languages: Annotated[str, typer.Option(help="ISO 639-3 codes with commas; empty: all.")] = "",
    model: str = "embedded",
) -> None:
    """Make one clip per sentence, cut at the word times of a CTC model."""
    console = Console(highlight=False, markup=False)
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ConfigError(f"--group {group!r} is no regular expression: {error}") from error
    if not pattern.groups:
        raise ConfigError(f"--group {group!r} has no group", fix="Put what is the same in parallel ids in parentheses.")
    check_writable(output)
    utterances = read_manifest(manifest)
    recognizer = Recognizer.from_pretrained(model, beam=1)
    wanted = set(filter(None, languages.split(",")))
    paragraphs: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        match = pattern.search(utterance.id)
        if match and (not wanted or utterance.language in wanted):
            paragraphs[match.group(1)].append(utterance)
    if not paragraphs:
        raise DataError(f"no id matches {group!r}", where=printable(manifest))
    made: list[Utterance] = []
    for name, members in track(paragraphs.items(), description="paragraphs", console=console):
        texts = {member.id: SENTENCE.split(member.text) for member in members}
        usual, _ = Counter(len(sentences) for sentences in texts.values()).most_common(1)[0]
        for member in members:
            if len(texts[member.id]) != usual:
                console.print(f"{member.id}: {len(texts[member.id])} sentences, others have {usual}: left out")
                continue
            try:
                made += _sentences(member, texts[member.id], name, recognizer, output)
            except SpeechError as error:
                console.print(f"{member.id}: {error}")
    if not made:
        raise DataError("no sentence could be cut", where=printable(manifest))
    write_manifest(made, output / "test.jsonl")
    console.print(f"{len(made)} sentences in {output / 'test.jsonl'}")


def _sentences(whole: Utterance, texts: list[str], name: str, recognizer: Recognizer, output: Path) -> list[Utterance]:
    samples = load_audio(whole.audio)
    words = recognizer.align(samples, whole.text, language=whole.language).words
    made, first = [], 0
    for number, text in enumerate(texts):
        last = first + len(words_of(text, whole.language))
        audio, said = splice([RecordingSpan(samples, words, first, last, whole.language)])
        if not said or tuple(word.text for word in said) != words_of(text, whole.language):
            raise SpeechError(f"its words are not those of sentence {number}", where=whole.id)
        path = output / "audio" / f"{whole.id}-{number}.flac"
        write_flac(path, audio)
        made.append(
            Utterance(
                id=f"{whole.id}-{number}",
                audio=path.absolute(),
                duration_s=len(audio) / SAMPLE_RATE,
                language=whole.language,
                text=text,
                parallel_id=f"{name}-{number}",
                speaker=whole.speaker,
                source=whole.source,
                licence=whole.licence,
            )
        )
        first = last
    return made


if __name__ == "__main__":
    start_command(main)
