"""A folder of adapters with one file per language: listing, adding and removing.

Files are written atomically, and only after they have been read and checked.
"""

from __future__ import annotations

from pathlib import Path

from speech.errors import ModelError
from speech.files import partial_file
from speech.models.adapters.file import AdapterDescription, AdapterFile, describe, load_adapter
from speech.models.base import CtcModel

SUFFIX = ".safetensors"


def entries(folder: Path) -> list[AdapterDescription]:
    """List a folder's adapters, sorted by language; empty if there is no folder.

    Raises:
        ModelError: as `describe`, and if two are for one language.
    """
    found: dict[str, AdapterDescription] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        info = describe(path)
        if info.language in found:
            raise ModelError(f"is a second adapter for {info.language!r}", where=str(path), fix="Keep one of them.")
        found[info.language] = info
    return [found[code] for code in sorted(found)]


def put(
    folder: Path, data: bytes, base: str | None, model: CtcModel | None = None, *, where: str, replace: bool = True
) -> tuple[AdapterDescription, AdapterFile]:
    """Save an adapter to a folder as `CODE.safetensors`; the folder is created if needed.

    Args:
        folder: folder of adapters.
        data: content of the file.
        base: required fingerprint of the base model; None: any.
        model: model that the adapter must fit; None: any.
        where: name of the file in errors.
        replace: replace an existing adapter for the language; otherwise that is an error.

    Returns:
        The description at the new path, and the adapter.

    Raises:
        ModelError: if the data is not an adapter, is damaged or for another model, an existing one may not be
            replaced, or the folder cannot be written.
    """
    made = not folder.is_dir()
    try:
        with partial_file(folder) as temporary:
            temporary.write_bytes(data)
            temporary.chmod(0o644)
            info, item = read(temporary, base, model, where=where)
            target = folder / f"{info.language}{SUFFIX}"
            others = [path for path in _of(folder, info.language) if path != target]
            if not replace and (target.exists() or others):
                there = target if target.exists() else others[0]
                fix = "Remove it before, or say --force."
                raise ModelError(f"there is an adapter for {info.language!r} already: {there}", where=where, fix=fix)
            temporary.replace(target)
            for path in others:
                path.unlink()
            return describe(target), item
    except OSError as error:
        raise ModelError(f"cannot be written: {error.strerror}", where=str(folder)) from error
    finally:
        if made and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def read(
    path: Path, base: str | None, model: CtcModel | None = None, *, where: str
) -> tuple[AdapterDescription, AdapterFile]:
    """Read an adapter that must fit a model; see `put`.

    Raises:
        ModelError: if it does not fit, or is not an adapter.
    """
    info = describe(path, base, where=where)
    if model is not None:
        info.check(model, where=where)
    return info, load_adapter(path, base, where=where)


def remove(folder: Path, code: str) -> list[Path]:
    """Delete a language's adapter; returns the deleted files.

    Raises:
        ModelError: if there is none, or it cannot be deleted.
    """
    paths = _of(folder, code)
    if not paths:
        known = ", ".join(info.language for info in entries(folder)) or "none"
        raise ModelError(f"has no adapter for {code!r}", where=str(folder), fix=f"There are: {known}.")
    try:
        for path in paths:
            path.unlink()
    except OSError as error:
        raise ModelError(f"cannot be deleted: {error.strerror}", where=str(paths[0])) from error
    return paths


def _of(folder: Path, code: str) -> list[Path]:
    """Files for a language: the one named after it, even if damaged, and others whose metadata says so."""
    named = folder / f"{code}{SUFFIX}"
    found = [named] if named.is_file() else []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            if path != named and describe(path).language == code:
                found.append(path)
        except ModelError:  # damaged: of no language
            continue
    return found
