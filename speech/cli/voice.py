"""`speech voice`: blend and clone voices, and keep them as files or beside a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from speech.choices import EMBEDDED, EMBEDDED_VOICE
from speech.cli import options as option
from speech.cli.console import stderr, stdout
from speech.cli.progress import progress
from speech.errors import ConfigError, FileError
from speech.files import check_readable, check_writable, printable, read_text, reason
from speech.models.hub import locate
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.tts.cloning import CloneRequest
from speech.tts.model_voices import voices_of
from speech.tts.voice_blend import blend_name, read_blend
from speech.tts.voice_file import VoiceFile, load_voice, save_voice
from speech.tts.watermark import WatermarkChoice

voice = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Blend and clone voices, and list, show, add and remove those of a voice model.",
)
_Model = Annotated[
    str,
    typer.Argument(
        help="Voice model: embedded-voice, or an aligned one or an imported Kokoro by its directory or hub id."
    ),
]


@voice.command("list")
def list_voices(model: _Model = EMBEDDED_VOICE) -> None:
    """List voices: name, language, and whether they were added, and cloned."""
    voices = voices_of(locate(model), model)
    for name, language in voices.languages.items():
        one = voices.added.get(name)
        facts = [] if one is None else ["added", *(["cloned"] if one.cloned else [])]
        stdout().print("  ".join([f"{name:<16}", language, *facts]).rstrip())


@voice.command("show")
def show_voice(file: Annotated[Path, typer.Argument(help="File of a voice.")]) -> None:
    """Show what a voice's file says of it."""
    one = load_voice(file)
    shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in one.tensors.items())
    rows = {
        "name": one.name,
        "language": one.language,
        "fits": f"{one.kind} {one.model[:12]}",
        "cloned": "yes" if one.cloned else "no",
        "created": one.created,
        "holds": shapes,
        **({"phonemes": one.phonemes} if one.phonemes else {}),
    }
    for key, value in rows.items():
        stdout().print(f"{key:<9} {printable(value)}")
    for line in one.card.splitlines():
        stdout().print(printable(line))


@voice.command("blend")
def blend_voices(
    model: _Model,
    voices: Annotated[str, typer.Argument(help='Voices and weights, such as "af_heart:0.6,bf_emma:0.4".')],
    to: Annotated[Path, typer.Option(help="File to write, such as my.voice.")],
    name: Annotated[str, typer.Option(help="Name of the voice. [default: that of the file]")] = "",
    card: Annotated[Path | None, typer.Option(help="Text to put before the list of sources: licence, purpose.")] = None,
) -> None:
    """Write a blend of a model's voices as a file."""
    weights = read_blend(voices)
    before = read_text(card).strip() + "\n\n" if card is not None else ""
    check_writable(to.parent)
    own = voices_of(locate(model), model)
    tensors = own.blended(weights)
    made = VoiceFile(
        name=name or to.stem,
        language=own.languages[max(weights, key=weights.__getitem__)],
        kind=own.kind,
        model=own.digest,
        tensors=tensors,
        cloned=any(one in own.added and own.added[one].cloned for one in weights),
        card=before + _sources(weights, own.added, own.digest),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    save_voice(to, made)
    stderr().print(f"{printable(to)}: voice {made.name}, {blend_name(weights)}")


@voice.command("add")
def add_voice(
    model: _Model,
    file: Annotated[Path, typer.Argument(help="File of a voice.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a voice of the same name.")] = False,
) -> None:
    """Add a voice to a model's folder, where a server finds it when it starts."""
    voices, one = voices_of(locate(model), model), load_voice(file)
    voices.check(one, printable(file))
    if one.name in voices.languages and not force:
        raise ConfigError(f"there is a voice {one.name!r} already", where=printable(voices.folder), fix="Give --force.")
    target = voices.path(one.name)
    save_voice(target, one)
    stderr().print(f"{printable(target)}: added")


@voice.command("remove")
def remove_voice(model: _Model, name: Annotated[str, typer.Argument(help="Name of a voice.")]) -> None:
    """Remove a voice from a model's folder."""
    voices = voices_of(locate(model), model)
    names = list(voices.languages)
    if name not in names:
        raise ConfigError(f"there is no voice {name!r}", fix=f"There are {', '.join(names) or 'none'}.")
    if name not in voices.files:
        raise ConfigError(f"{name!r} is a voice of the model itself", fix="Only voices that were added can be removed.")
    if len(names) == 1:
        raise ConfigError(f"{name!r} is the only voice", fix="Add another one first.")
    target = voices.path(name)
    try:
        target.unlink()
    except OSError as error:
        raise FileError(f"cannot be removed: {reason(error)}", where=printable(target)) from error
    stderr().print(f"{printable(target)}: removed")


@voice.command("clone")
def clone_voice(
    model: _Model,
    recording: Annotated[Path, typer.Argument(help="Recording of 3 to 30 s in which one person speaks.")],
    to: Annotated[Path, typer.Option(help="File to write, such as my.voice.")],
    consent: Annotated[Path, typer.Option(help="Text file in which the person agrees to what is done.")],
    text: Annotated[
        str, typer.Option(help="What is said in the recording, or a .txt file. [default: what the recogniser hears]")
    ] = "",
    language: Annotated[str, typer.Option(help="Language of the recording: a code or a name.")] = "eng",
    name: Annotated[str, typer.Option(help="Name of the voice. [default: that of the file]")] = "",
    recogniser: Annotated[
        str, typer.Option(help="Model that finds the words in the recording: embedded, a directory, or a hub id.")
    ] = EMBEDDED,
    device: option.Device = "cpu",
) -> None:
    """Make a voice that speaks as a recording does; it is said only with a watermark."""
    is_file = "\n" not in text and len(text) < 256 and Path(text).suffix == ".txt"
    said = read_text(Path(text)) if is_file else text
    wanted = CloneRequest(name=name or to.stem, language=language, consent=read_text(consent), text=said)
    check_readable(recording)
    check_writable(to.parent)
    speaker = Speaker.from_pretrained(model, device=device, watermark=WatermarkChoice(on=False))
    listener = Recognizer.from_pretrained(recogniser, beam=1, device=device)
    with progress() as bars:
        told = partial(_told, bars, bars.add_task("fitting a style", total=None))
        made = speaker.cloner(listener, told).clone(recording, wanted)
    save_voice(to, made)
    said = f", phonemes {made.phonemes}" if made.phonemes else ""
    stderr().print(f"{printable(to)}: voice {made.name}{said}")


def _told(bars: Progress, task: TaskID, done: int, steps: int) -> None:
    """Show the steps that are done."""
    bars.update(task, completed=done, total=steps)


def _sources(weights: Mapping[str, float], added: Mapping[str, VoiceFile], digest: str) -> str:
    """Where a blend comes from, in Markdown."""
    rows = [f"- {name}, {weight:.3f}{'' if name in added else ' (of the model)'}" for name, weight in weights.items()]
    whole = f"Blend of voices of the model {digest[:12]}, whose card tells its licence:\n\n" + "\n".join(rows) + "\n"
    cards = [f"\n## {name}\n\n{added[name].card.strip()}\n" for name in weights if name in added]
    return whole + "".join(cards)
