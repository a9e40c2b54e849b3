"""`speech export`: export a model to ONNX, for runtimes without Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from speech.chunking import ChunkSpec
from speech.cli.console import stderr
from speech.errors import ConfigError
from speech.files import check_writable, printable
from speech.models.checkpoint import kind_of, load_checkpoint, load_label_checkpoint
from speech.models.export.ctc import export_onnx
from speech.models.export.label import export_label_onnx
from speech.models.hub import locate
from speech.models.hybrid import KIND as HYBRID
from speech.models.storage import LABEL, WHISPER
from speech.stream.engine import EngineConfig


def export_model(
    model: Annotated[str, typer.Argument(help="Model: embedded, a directory, or a hub id.")],
    to: Annotated[Path, typer.Option(help="New folder for the graphs.")],
    streaming: Annotated[bool, typer.Option(help="Also write a graph for one live chunk.")] = True,
    chunk_ms: Annotated[int, typer.Option(help="Milliseconds of audio in a live chunk.")] = 320,
    lookahead_ms: Annotated[int, typer.Option(help="Milliseconds of audio after a chunk that it waits for.")] = 160,
    language: Annotated[
        str | None,
        typer.Option(
            help="Language of live streams and of the graph for sherpa-onnx. [default: the model identifies it]"
        ),
    ] = None,
    sherpa: Annotated[bool, typer.Option(help="Also write a graph that sherpa-onnx runs.")] = False,
) -> None:
    """Write ONNX graphs of a model and check that their results equal the model's."""
    console = stderr()
    check_writable(to.parent)
    folder, name = locate(model), Path(model).name
    if kind_of(folder) == WHISPER:
        if sherpa or language is not None:
            raise ConfigError("a model without CTC", where=model, fix="Leave out --sherpa and --language.")
        with console.status("exporting"):
            export_label_onnx(to, load_label_checkpoint(folder), name=name)
        _say(to, console)
        return
    checkpoint = load_checkpoint(folder)
    vocabulary = checkpoint.model.vocabulary
    spoken = vocabulary.nolang if language is None else vocabulary.language_id(language)
    chunk = None
    if streaming:
        frame_ms = checkpoint.model.subsampling.factor * 10
        chunk = ChunkSpec(
            size=_frames(chunk_ms, frame_ms, "chunk"),
            left_context=int(checkpoint.info.get("left_context", EngineConfig().left_context)),
            right_context=_frames(lookahead_ms, frame_ms, "lookahead"),
        )
    with console.status("exporting"):
        export_onnx(
            to,
            checkpoint.model,
            name=name,
            chunk=chunk,
            prefix=(spoken, vocabulary.task_id("asr")),
            sherpa=sherpa,
            label=load_label_checkpoint(folder / LABEL) if kind_of(folder) == HYBRID else None,
        )
    _say(to, console)


def _say(to: Path, console: Console) -> None:
    console.print(f"{printable(to)}: {', '.join(sorted(file.name for file in to.iterdir()))}")


def _frames(ms: int, frame_ms: int, what: str) -> int:
    if ms % frame_ms:
        raise ConfigError(f"{what} {ms} ms, frames of {frame_ms} ms", fix=f"Give a multiple of {frame_ms} ms.")
    return ms // frame_ms
