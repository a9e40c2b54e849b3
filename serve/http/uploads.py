"""Files that come over HTTP: how many at a time, how large, how slow; on disk where they are not small."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from serve.http.errors import Failure
from speech.files import printable, reason

_AROUND_BYTES = 1 << 20
"""Of a form besides its file."""
_MOST_FIELDS = 64
_FIELD_BYTES = 1 << 16
_PATIENCE_S = 30.0
_LEAST_BYTES_S = 4096
"""A body comes at this speed at least, after some patience: a place is not held by trickling."""
_SHOWN = 200


class UploadSlots:
    """So many at a time; those that find none are told at once. For any thread."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many are taken."""
        return self._taken

    def take(self) -> UploadSlot:
        """One of them.

        Raises:
            Failure: 429, if there is none.
        """
        with self._lock:
            if self._taken >= self._most:
                text = f"{self._most} files are being received, wait or are worked on; try again later"
                raise Failure(429, "too_many_uploads", text)
            self._taken += 1
        return UploadSlot(self)

    def _free(self) -> None:
        with self._lock:
            self._taken -= 1


class UploadSlot:
    """Is free again after `leave`, however often that is called."""

    def __init__(self, places: UploadSlots) -> None:
        self._places: UploadSlots | None = places

    def leave(self) -> None:
        """Somebody else may have it."""
        places, self._places = self._places, None
        if places is not None:
            places._free()


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A file and what was said about it."""

    file: BinaryIO
    name: str
    """As the client says, fit to be shown."""
    fields: Mapping[str, Sequence[str]]

    def one(self, name: str, default: str) -> str:
        """A field's value."""
        return self.fields[name][-1] if name in self.fields else default


class _UploadedFile(io.RawIOBase):
    """A spooled file for what reads audio, which wants a name, and takes an ending as a format."""

    name = "upload"

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        super().close()
        self._file.close()


class _FormParser(MultiPartParser):
    """Starlette's, which takes a form that is cut off for a shorter one."""

    _ended = False

    def on_end(self) -> None:
        self._ended = True

    def check(self) -> None:
        """Raises Failure if the form has no end."""
        if not self._ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise Failure(400, "bad_form", "the form is cut off: it has no end")


async def receive_body(request: Request, limit: int, what: str) -> AsyncGenerator[bytes]:
    """The body in pieces, as they come.

    Args:
        request: whose body nobody has read.
        limit: in bytes.
        what: is received, for the message.

    Raises:
        Failure: it is larger, which is said before anything is read if the client says so, or comes too slowly.
        ClientDisconnect: the client has gone.
    """
    too_large = Failure(413, "too_large", f"{what} is larger than {limit} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    received, began = 0, asyncio.get_running_loop().time()
    async with aclosing(request.stream()) as stream:
        while True:
            try:
                async with asyncio.timeout_at(began + _PATIENCE_S + received / _LEAST_BYTES_S):
                    block = await anext(stream, None)
            except TimeoutError:
                raise Failure(408, "too_slow", f"{what} comes too slowly: {received} bytes so far") from None
            if block is None:
                return
            received += len(block)
            if received > limit:
                raise too_large
            yield block


async def receive_form(request: Request, limit: int) -> UploadForm:
    """A form with one file, `file`.

    Args:
        request: whose body nobody has read.
        limit: of the file, in bytes.

    Raises:
        Failure: it is no such form, or too large, or cannot be kept.
        ClientDisconnect: the client has gone.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Failure(400, "bad_form", f"the body is {kind[:_SHOWN] or 'of no type'!r}, expected multipart/form-data")
    try:
        async with aclosing(receive_body(request, limit + _AROUND_BYTES, "the file")) as body:
            parser = _FormParser(
                request.headers, body, max_files=1, max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES
            )
            form = await parser.parse()
            parser.check()
    except MultiPartException as error:
        raise Failure(400, "bad_form", f"the form cannot be read: {error.message}") from error
    except OSError as error:
        raise Failure(500, "not_kept", f"the file cannot be kept: {reason(error)}") from error
    try:
        return _checked(form, limit)
    except Failure:
        await form.close()
        raise


def _checked(form: FormData, limit: int) -> UploadForm:
    """Raises Failure."""
    fields: dict[str, list[str]] = {}
    file: UploadFile | None = None
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
        elif name == "file":
            file = value
        else:
            raise Failure(400, "bad_form", f"a file as {name[:_SHOWN]!r}, expected 'file'", name[:_SHOWN])
    if file is None:
        text = "'file' is text, expected a file" if "file" in fields else "the form has no 'file'"
        raise Failure(400, "missing_file", text, "file")
    if (file.size or 0) > limit:
        raise Failure(413, "too_large", f"the file is larger than {limit} bytes", "file")
    shown = printable((file.filename or "file")[:_SHOWN].encode("utf-8", "replace").decode())
    return UploadForm(_UploadedFile(file.file), shown, fields)  # type: ignore[arg-type]
