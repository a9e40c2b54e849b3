"""Have an imported Kokoro speak window by window, so that it is heard before a sentence is computed:

    uv run python recipes/tts/streaming_kokoro.py models/kokoro models/voice --texts /usr/share/help

Its normalisations look at whole utterances. This speaks some sentences in each voice, and their first words alone, and
keeps with the voice what mean and variance of every channel are for an utterance of any length; with them, frames need
only their neighbours. Nothing is trained.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from help_pages import SOURCE, help_sentences
from rich.progress import Progress

from speech.choices import Storage
from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.errors import ConfigError
from speech.files import check_writable
from speech.models.hub import locate
from speech.models.kokoro_checkpoint import KokoroCheckpoint, load_kokoro_checkpoint, save_kokoro_checkpoint
from speech.models.kokoro_voice import KokoroVoice
from speech.nn.kokoro.norm_statistics import measuring
from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from speech.tts.loading import pronouncer_for
from speech.tts.pronunciation.pronunciation import Pronouncer
from speech.tts.speech_stream import SpeakingOptions, SpeechStream

_WORDS = (1, 2, 4)
"""Of the short utterances: answers such as "Yes." sound as loud as sentences only if they are measured, too."""


def main(
    model: Annotated[str, typer.Argument(help="Kokoro that `speech import` has converted.")],
    output: Annotated[Path, typer.Argument(help="Folder of the result.")],
    texts: Annotated[Path, typer.Option(help="Folder of help pages: usr/share/help of Debian's gnome-user-docs.")],
    voices: Annotated[str, typer.Option(help="With commas between; by default all whose language has texts.")] = "",
    sentences: Annotated[int, typer.Option(help="Said by each voice.", min=1)] = 16,
    storage: Annotated[Storage, typer.Option(help="Number format of the weights.")] = Storage.compact,
    card: Annotated[Path | None, typer.Option(help="Model card; by default that of the model.")] = None,
    seed: Annotated[int, typer.Option(help="Decides which sentences.", min=0)] = 0,
) -> None:
    """Have an imported Kokoro speak window by window."""
    check_writable(output)
    path = locate(model)
    loaded = load_kokoro_checkpoint(path)
    names = [name.strip() for name in voices.split(",") if name.strip()] or list(loaded.voices)
    unknown = [name for name in names if name not in loaded.voices]
    if unknown:
        raise ConfigError(f"no voice {unknown[0]!r}", fix=f"There are {', '.join(loaded.voices) or 'none'}.")
    plain = replace(loaded, voices={name: KokoroVoice(loaded.voices[name].styles) for name in names})
    measured = _measured(plain, path, texts, sentences, seed)
    info = {**loaded.info, "norms": {"sentences": sentences, "texts": list(SOURCE), "seed": seed}}
    text = (card or path / "README.md").read_text("utf-8")
    save_kokoro_checkpoint(output, replace(plain, voices=measured, info=info), card=text, storage=storage)
    stdout().print(f"{output}: {len(measured)} voices", soft_wrap=True)


def _measured(
    checkpoint: KokoroCheckpoint, path: Path, texts: Path, sentences: int, seed: int
) -> dict[str, KokoroVoice]:
    """The voices with their statistics."""
    synthesizer = KokoroSynthesizer(checkpoint)
    pronouncer = pronouncer_for(synthesizer, path)
    found: dict[str, KokoroVoice] = {}
    with Progress(console=stderr(), transient=True) as progress:
        for name in progress.track(checkpoint.voices, description="voices"):
            language = synthesizer.language_of(name)
            chosen = help_sentences(texts, language)
            random.Random(seed).shuffle(chosen)
            with measuring(checkpoint.model.decoder) as meter:
                for text in [*_beginnings(chosen[:sentences]), *chosen[:sentences]]:
                    _say(synthesizer, pronouncer, name, language, text)
            found[name] = replace(checkpoint.voices[name], norms=meter.by_length().norms)
    return found


def _beginnings(sentences: Sequence[str]) -> Iterator[str]:
    """The first words of sentences as utterances of their own."""
    for sentence in sentences:
        words = sentence.split()
        for count in _WORDS:
            if count < len(words):
                yield " ".join(words[:count]).rstrip(".,;:!?") + "."


def _say(synthesizer: KokoroSynthesizer, pronouncer: Pronouncer, voice: str, language: str, text: str) -> None:
    stream = SpeechStream(synthesizer, pronouncer, voice, SpeakingOptions(language=language))
    for packets in (stream.feed(text), stream.flush()):
        for _ in packets:
            pass


if __name__ == "__main__":
    start_command(main)
