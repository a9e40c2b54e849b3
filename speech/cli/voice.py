"""`speech voice`: blend voices, and keep them as files or beside a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from speech.cli.console import stderr, stdout
from speech.errors import ConfigError, FileError, ModelError
from speech.files import check_writable, printable, read_text, reason
from speech.models.adapters.file import fingerprint
from speech.models.checkpoint import kind_of
from speech.models.hub import locate
from speech.models.kokoro_checkpoint import load_kokoro_config, load_kokoro_voices
from speech.models.kokoro_voice import STYLES, VOICES, blend
from speech.models.storage import KOKORO
from speech.tts.kokoro_synthesizer import language_of_name, pack_of
from speech.tts.voice_blend import blend_name, read_blend
from speech.tts.voice_file import VoiceFile, load_voice, save_voice, stored_voices

voice = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Blend voices, and list, show, add and remove those of a voice model.",
)
_Model = Annotated[str, typer.Argument(help="Voice model: a directory that `speech import` wrote, or a hub id.")]


@voice.command("list")
def list_voices(model: _Model) -> None:
    """List voices: name, language, and whether they were added, and cloned."""
    path = _located(model)
    added = {one.name: one for one in stored_voices(path / VOICES)}
    for name in load_kokoro_voices(path):
        one = added.get(name)
        facts = [] if one is None else ["added", *(["cloned"] if one.cloned else [])]
        stdout().print("  ".join([f"{name:<16}", one.language if one else language_of_name(name), *facts]).rstrip())


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
    path = _located(model)
    packs, added = load_kokoro_voices(path), {one.name: one for one in stored_voices(path / VOICES)}
    styles = blend(packs, weights)
    first = max(weights, key=weights.__getitem__)
    digest = fingerprint(path)
    made = VoiceFile(
        name=name or to.stem,
        language=added[first].language if first in added else language_of_name(first),
        kind=KOKORO,
        model=digest,
        tensors={STYLES: styles},
        cloned=any(one in added and added[one].cloned for one in weights),
        card=before + _sources(weights, added, digest),
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
    path = _located(model)
    one = load_voice(file)
    one.check(KOKORO, fingerprint(path), printable(file))
    pack_of(one, load_kokoro_config(path))
    target = path / VOICES / f"{one.name}.safetensors"
    if target.exists() and not force:
        raise ConfigError(f"there is a voice {one.name!r} already", where=printable(path), fix="Give --force.")
    save_voice(target, one)
    stderr().print(f"{printable(target)}: added")


@voice.command("remove")
def remove_voice(model: _Model, name: Annotated[str, typer.Argument(help="Name of a voice.")]) -> None:
    """Remove a voice from a model's folder."""
    path = _located(model)
    names = list(load_kokoro_voices(path))
    if name not in names:
        raise ConfigError(f"there is no voice {name!r}", fix=f"There are {', '.join(names) or 'none'}.")
    if len(names) == 1:
        raise ConfigError(f"{name!r} is the only voice", fix="Add another one first.")
    target = path / VOICES / f"{name}.safetensors"
    try:
        target.unlink()
    except OSError as error:
        raise FileError(f"cannot be removed: {reason(error)}", where=printable(target)) from error
    stderr().print(f"{printable(target)}: removed")


def _located(model: str) -> Path:
    path = locate(model)
    kind = kind_of(path)
    if kind != KOKORO:
        raise ModelError(f"a model of kind {kind!r} has no voices", where=model, fix="Give an imported Kokoro.")
    return path


def _sources(weights: Mapping[str, float], added: Mapping[str, VoiceFile], digest: str) -> str:
    """Where a blend comes from, in Markdown."""
    rows = [f"- {name}, {weight:.3f}{'' if name in added else ' (of the model)'}" for name, weight in weights.items()]
    whole = f"Blend of voices of the model {digest[:12]}, whose card tells its licence:\n\n" + "\n".join(rows) + "\n"
    cards = [f"\n## {name}\n\n{added[name].card.strip()}\n" for name in weights if name in added]
    return whole + "".join(cards)
