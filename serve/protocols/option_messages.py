"""Options of the native protocol that have fields of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from speech.choices import PolicyName


class Endpointing(Struct, forbid_unknown_fields=True):
    """Rules that end a segment."""

    mode: Literal["auto", "client", "off"] = "auto"
    """auto: ends segments at pauses; client, off: only at `finalize` or after `max_utterance_ms`."""
    silence_ms: Annotated[int, Meta(ge=100, le=5000)] = 500
    max_utterance_ms: Annotated[int, Meta(ge=1000, le=30000)] = 16000
    blank_ms: Annotated[int, Meta(ge=200, le=10000)] | None = None
    """auto: also ends a segment if partial results have brought no word for this long although VAD detects speech."""


class Translating(Struct, forbid_unknown_fields=True):
    """When a translation is written."""

    policy: PolicyName = PolicyName.complete
    """complete: after each complete part. Others write while the speaker goes on. align_att: words whose attention has
    left the end of the audio; local_agreement: what drafts in a row agree on; hold_n: drafts without
    their last tokens; wait_k: a fixed number of words behind; emma: words of which a policy trained for the model says
    that they may be written. Targets of a text translator go by local_agreement with any of them."""
    latency_ms: Annotated[int, Meta(ge=160, le=10000)] | None = None
    """align_att: end of the audio that is not trusted, default 1600; local_agreement: interval of drafts, default
    640."""
    n: Annotated[int, Meta(ge=1, le=50)] | None = None
    """local_agreement: drafts, default 2; hold_n: tokens, default 4; wait_k: words, default 5."""
    threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """emma: least probability of writing, default 0.5; smaller is earlier."""
    append: bool = False
    """Whether the final continues what has been written and takes nothing back. Otherwise it replaces it by a
    translation of the complete part."""
