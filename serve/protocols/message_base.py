"""What all messages of the native protocol have in common."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Frame = str | bytes
"""One websocket message: JSON text, or audio."""
Milliseconds = Annotated[int, Meta(ge=0)]


class Event(Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of all server messages."""

    seq: Annotated[int, Meta(ge=1)]
