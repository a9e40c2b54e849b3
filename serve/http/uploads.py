"""File uploads over HTTP, with limits on number, size and time; larger files are spooled to disk."""

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
"""Allowance for the form around the file."""
_MOST_FIELDS = 64
_FIELD_BYTES = 1 << 16
_PATIENCE_S = 30.0
_LEAST_BYTES_S = 4096
"""Minimum speed in bytes per second after `_PATIENCE_S`: a slow client cannot hold a slot forever."""
_SHOWN = 200


class UploadSlots:
    """A limited number of upload slots; a request that finds none fails at once. Thread-safe.

    Args:
        most: number of slots.
        busy: what is said where none is free; None: that so many files are worked on.
    """

    def __init__(self, most: int, busy: str | None = None) -> None:
        self._most, self._taken = most, 0
        self._busy = busy or f"{most} files are being received, wait or are worked on"
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of taken slots."""
        return self._taken

    def take(self) -> UploadSlot:
        """Take a slot.

        Raises:
            Failure: 429, if none is free.
        """
        with self._lock:
            if self._taken >= self._most:
                raise Failure(429, "too_many_uploads", f"{self._busy}; try again later")
            self._taken += 1
        return UploadSlot(self)

    def _free(self) -> None:
        with self._lock:
            self._taken -= 1


class UploadSlot:
    """A taken slot; `leave` frees it and may be called repeatedly."""

    def __init__(self, places: UploadSlots) -> None:
        self._places: UploadSlots | None = places

    def leave(self) -> None:
        """Free the slot."""
        places, self._places = self._places, None
        if places is not None:
            places._free()


@dataclass(frozen=True, slots=True)
class UploadForm:
    """An uploaded file and the other fields of its form."""

    file: BinaryIO
    name: str
    """File name given by the client, made printable and shortened."""
    fields: Mapping[str, Sequence[str]]

    def one(self, name: str, default: str) -> str:
        """The last value of a field, or `default`."""
        return self.fields[name][-1] if name in self.fields else default


class _UploadedFile(io.RawIOBase):
    """A spooled file for audio readers, which need a name; it has no extension, so they detect the format."""

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
    """Form parser that detects truncated forms; Starlette's parser accepts them."""

    _ended = False

    def on_end(self) -> None:
        self._ended = True

    def check(self) -> None:
        """Raises Failure if the form is truncated."""
        if not self._ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise Failure(400, "bad_form", "the form is cut off: it has no end")


async def receive_body(request: Request, limit: int, what: str) -> AsyncGenerator[bytes]:
    """Yield the body in blocks as they arrive.

    Args:
        request: whose body has not been read.
        limit: maximum size in bytes.
        what: name of the upload in error messages.

    Raises:
        Failure: the body is too large (raised before reading if `Content-Length` says so), or arrives too slowly.
        ClientDisconnect: the client has disconnected.
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


async def receive_form(request: Request, limit: int, field: str = "file") -> UploadForm:
    """Receive a form with one file.

    Args:
        request: whose body has not been read.
        limit: maximum size of the file in bytes.
        field: name of the file's field.

    Raises:
        Failure: the form is invalid, too large or too slow, or cannot be stored.
        ClientDisconnect: the client has disconnected.
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
        return _checked(form, limit, field)
    except Failure:
        await form.close()
        raise


def _checked(form: FormData, limit: int, field: str) -> UploadForm:
    """Check the fields of a form. Raises Failure."""
    fields: dict[str, list[str]] = {}
    file: UploadFile | None = None
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
        elif name == field:
            file = value
        else:
            raise Failure(400, "bad_form", f"a file as {name[:_SHOWN]!r}, expected {field!r}", name[:_SHOWN])
    if file is None:
        text = f"{field!r} is text, expected a file" if field in fields else f"the form has no {field!r}"
        raise Failure(400, "missing_file", text, field)
    if (file.size or 0) > limit:
        raise Failure(413, "too_large", f"the file is larger than {limit} bytes", field)
    shown = printable((file.filename or "file")[:_SHOWN].encode("utf-8", "replace").decode())
    return UploadForm(_UploadedFile(file.file), shown, fields)  # type: ignore[arg-type]
