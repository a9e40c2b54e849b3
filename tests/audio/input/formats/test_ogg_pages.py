"""Pages are whole, in order, and of one stream, or it is said."""

from __future__ import annotations

import io

import numpy as np
import pytest

from speech.audio.input.files import load_audio
from speech.audio.input.formats.ogg_pages import ogg_checksum, ogg_links
from speech.errors import AudioError
from tests.audio.made import heard, muxed, tone, written

SPEECH = written(np.concatenate([tone(3.0), 0 * tone(3.0), tone(3.0)]), "OGG", subtype="OPUS")


def pages(content: bytes) -> list[bytes]:
    begins = [place for place in range(len(content)) if content[place : place + 4] == b"OggS"]
    return [content[a:b] for a, b in zip(begins, [*begins[1:], len(content)], strict=True)]


def links(content: bytes) -> list[tuple[int, int, bool]]:
    return ogg_links(io.BytesIO(content), 0, len(content), "a.ogg")


def test_the_checksum_is_that_of_the_writer() -> None:
    for page in pages(SPEECH):
        assert ogg_checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")


def test_one_stream_is_one_link_and_a_chain_has_one_for_each() -> None:
    assert links(SPEECH) == [(0, len(SPEECH), True)]
    assert links(SPEECH + SPEECH) == [(0, len(SPEECH), True), (len(SPEECH), 2 * len(SPEECH), True)]
    assert links(SPEECH + b"TAG" + bytes(125)) == [(0, len(SPEECH), True)]


def test_streams_side_by_side_are_not_simple() -> None:
    both = muxed("ogg", "libopus", (tone(2.0, 48_000), 0), (tone(2.0, 48_000), 0), rate=48_000)
    assert links(both) == [(0, len(both), False)]


def test_pages_that_are_missing_become_silence() -> None:
    many = pages(muxed("ogg", "libopus", (tone(8.0, 48_000), 0), rate=48_000, options={"page_duration": "500000"}))
    assert len(many) > 10
    samples = load_audio(b"".join([*many[:5], *many[7:]]))
    assert len(samples) / 16_000 == pytest.approx(8.0, abs=0.03)
    assert len(heard(samples)) == 2


def test_a_wrong_checksum_and_what_is_no_page_are_named() -> None:
    place = sum(map(len, pages(SPEECH)[:3]))
    hurt = bytearray(SPEECH)
    hurt[place + 100] ^= 1
    with pytest.raises(AudioError, match=rf"a\.ogg: is damaged: the checksum of the Ogg page at byte {place} is wrong"):
        links(bytes(hurt))
    with pytest.raises(AudioError, match=rf"what stands at byte {place} is no Ogg page"):
        links(SPEECH[:place] + b"x" * 5000 + SPEECH[place:])
