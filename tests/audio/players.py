"""Programs that stand for those that play."""

from __future__ import annotations

from pathlib import Path


def player(folder: Path, name: str = "aplay", script: str = "cat > {folder}/heard") -> Path:
    """Write a program that notes its arguments in `arguments`; return the file `heard`.

    Args:
        folder: for all files.
        name: of the program.
        script: what it does with its standard input, as a shell script.
    """
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f'#!/bin/sh\necho $0 "$@" > {folder}/arguments\n{script.format(folder=folder)}\n')
    program.chmod(0o755)
    return folder / "heard"
