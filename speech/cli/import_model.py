"""`speech import`: convert published models of other toolkits to our checkpoint format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
import yaml

from speech.cli.console import stderr
from speech.errors import ConfigError, FileError
from speech.files import check_writable, printable, read_text
from speech.models.checkpoint import LabelCheckpoint, Storage, save_checkpoint, save_label_checkpoint
from speech.models.fish_checkpoint import save_fish_checkpoint
from speech.models.hub import locate
from speech.models.importers.espnet import import_espnet
from speech.models.importers.fish import import_fish, is_fish
from speech.models.importers.kokoro import import_kokoro, is_kokoro
from speech.models.importers.whisper import import_whisper
from speech.models.importers.whisper_files import is_whisper
from speech.models.kokoro_checkpoint import save_kokoro_checkpoint

_OWSM_CTC = """# {name}

Imported from `{name}`: an OWSM-CTC model (Peng et al. 2024) in the layout of ESPnet, converted tensor by tensor.
Weights are stored as {storage}. Licence and terms of use are those of the source; the published OWSM-CTC models are
CC-BY-4.0. What the source says of itself is in `SOURCE.md`, if it said anything.

    speech transcribe --model {directory} --language eng FILE

{parameters:.1f} M parameters, {languages} languages, tokens for translation into {targets}. How well it translates has
not been measured here, and no target can be used before `speech targets {directory} MANIFEST --record` has.
"""
_WHISPER = """# {name}

Imported from `{name}`: a Whisper (Radford et al. 2022), converted tensor by tensor. Weights are stored as {storage}.
{licence}. What the source says of itself is in `SOURCE.md`, if it said anything.

{parameters:.1f} M parameters: {encoder} layers of the encoder, {decoder} of the decoder, {bins} mel bins; {languages}.
Word times come from {heads} heads of cross-attention.
"""
_KOKORO = """# {name}

Imported from `{name}`: a Kokoro (StyleTTS 2, Li et al. 2023, without diffusion), converted tensor by tensor. Weights
are stored as {storage}. {licence}. What the source says of itself is in `SOURCE.md`, if it said anything.

{parameters:.1f} M parameters, {symbols} phonetic symbols, {rate} Hz. Voices: {voices}.
It speaks phonetic symbols, not letters.
"""
_KOKORO_LICENCE = (
    "Licence: Apache-2.0, that of the published Kokoro-82M and its voices; the source names none of its own"
)
_FISH = """# {name}

Imported from `{name}`: a Fish-Speech {version} (Liao et al. 2024) with its Firefly codec, converted tensor by tensor.
Weights are stored as {storage}. {licence}. What the source says of itself is in `SOURCE.md`, if it said anything.

{parameters:.1f} M parameters, {codec:.1f} M more in the codec, {rate} Hz. It reads letters, and imitates the voice of a
recording.{terms}
"""
_FISH_LICENCE = "CC-BY-NC-SA-4.0"
_NO_COMMERCE = " The licence allows no commercial use."


def import_model(
    source: Annotated[
        str,
        typer.Argument(
            help="Hub id such as espnet/owsm_ctc_v4_1B, openai/whisper-large-v3-turbo or hexgrad/Kokoro-82M, "
            "or a folder with its files."
        ),
    ],
    to: Annotated[Path, typer.Option(help="New folder for the checkpoint.")],
    storage: Annotated[
        Storage,
        typer.Option(help="Number format on disk; float32 keeps every bit, compact takes about four bits a weight."),
    ] = Storage.float32,
) -> None:
    """Convert a published OWSM-CTC, Whisper, Kokoro or Fish-Speech model; its toolkit is not needed."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ConfigError("already exists", where=printable(to), fix="Name a new folder.")
    check_writable(to.parent)
    console = stderr()
    with console.status("fetching"):
        directory = locate(source)
    with console.status("converting"):
        parameters, counted = _importer(directory)(source, directory, to, storage)
    console.print(f"{printable(to)}: {parameters:.1f} M parameters, {counted}")


def _importer(directory: Path) -> Callable[[str, Path, Path, Storage], tuple[float, str]]:
    """The function that converts what a folder holds."""
    if is_kokoro(directory):
        return _kokoro
    if is_fish(directory):
        return _fish
    return _whisper if is_whisper(directory) else _owsm_ctc


def _owsm_ctc(source: str, directory: Path, to: Path, storage: Storage) -> tuple[float, str]:
    """Convert an OWSM-CTC model; return its parameters in millions and its number of languages in words."""
    model, tokenizer = import_espnet(directory)
    vocabulary = tokenizer.vocabulary
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    card = _OWSM_CTC.format(
        name=source,
        storage=storage,
        directory=to,
        parameters=parameters,
        languages=len(vocabulary.languages),
        targets=f"{len(vocabulary.st_targets)} languages" if vocabulary.st_targets else "none",
    )
    info, attached = {"source": source}, _attached(directory)
    save_checkpoint(to, model, tokenizer, info=info, card=card, storage=storage, attached=attached)
    return parameters, f"{len(vocabulary.languages)} languages"


def _whisper(source: str, directory: Path, to: Path, storage: Storage) -> tuple[float, str]:
    """Convert a Whisper model; return its parameters in millions and its number of languages in words."""
    model, tokenizer = import_whisper(directory)
    config = model.config
    licence = _licence(directory / "README.md")
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    card = _WHISPER.format(
        name=source,
        storage=storage,
        licence=f"Licence: {licence}, as the source says"
        if licence
        else "The source names no licence: ask who made it",
        parameters=parameters,
        encoder=config.encoder.layers,
        decoder=config.decoder.layers,
        bins=config.encoder.bins,
        languages="English alone" if config.english_only else f"{len(tokenizer.languages)} languages",
        heads=len(config.alignment_heads),
    )
    info = {"source": source, "licence": licence}
    checkpoint = LabelCheckpoint(model, tokenizer, info)
    save_label_checkpoint(to, checkpoint, card=card, storage=storage, attached=_attached(directory))
    return parameters, f"{len(tokenizer.languages)} languages"


def _kokoro(source: str, directory: Path, to: Path, storage: Storage) -> tuple[float, str]:
    """Convert a Kokoro; return its parameters in millions and its number of voices in words."""
    checkpoint = import_kokoro(directory)
    model, licence = checkpoint.model, _licence(directory / "README.md")
    parameters = model.parameter_count / 1e6
    card = _KOKORO.format(
        name=source,
        storage=storage,
        licence=f"Licence: {licence}, as the source says" if licence else _KOKORO_LICENCE,
        parameters=parameters,
        symbols=len(checkpoint.symbols.numbers),
        rate=model.sample_rate,
        voices=", ".join(checkpoint.voices) or "none; put published ones into `voices/` of the source and import again",
    )
    checkpoint.info.update(source=source, licence=licence)
    save_kokoro_checkpoint(to, checkpoint, card=card, storage=storage, attached=_attached(directory))
    return parameters, f"{len(checkpoint.voices)} voices"


def _fish(source: str, directory: Path, to: Path, storage: Storage) -> tuple[float, str]:
    """Convert a Fish-Speech; return its parameters in millions and its version in words."""
    checkpoint, licence = import_fish(directory), _licence(directory / "README.md")
    version, codec = checkpoint.tokenizer.version, checkpoint.codec
    parameters = checkpoint.model.parameter_count / 1e6
    card = _FISH.format(
        name=source,
        version=version,
        storage=storage,
        licence=f"Licence: {licence}, as the source says"
        if licence
        else f"Licence: {_FISH_LICENCE}, that of published Fish-Speech {version}; the source names none of its own",
        parameters=parameters,
        codec=codec.parameter_count / 1e6,
        rate=codec.sample_rate,
        terms=_NO_COMMERCE if "-nc" in (licence or _FISH_LICENCE).lower() else "",
    )
    checkpoint.info.update(source=source, licence=licence or _FISH_LICENCE.lower())
    save_fish_checkpoint(to, checkpoint, card=card, storage=storage, attached=_attached(directory))
    return parameters, f"Fish-Speech {version}, licence {checkpoint.info['licence']}"


def _attached(directory: Path) -> dict[str, Path]:
    readme = directory / "README.md"
    return {"SOURCE.md": readme} if readme.is_file() else {}


def _licence(readme: Path) -> str | None:
    """Licence in the YAML header of a hub model card; None if there is none."""
    try:
        parts = read_text(readme).split("---\n", 2)
        record = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    except (FileError, yaml.YAMLError):
        return None
    licence = record.get("license") if isinstance(record, dict) else None
    if licence == "other" and isinstance(record, dict):
        licence = record.get("license_name", licence)
    return str(licence) if licence else None
