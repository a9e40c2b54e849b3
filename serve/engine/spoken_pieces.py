"""Turns of texts whose words are timed."""

from __future__ import annotations

from collections.abc import Iterator

from serve.engine.speaking_turns import Piece
from speech.tts.speech_stream import SpeechPacket, SpeechStream


def spoken_pieces(text: SpeechStream, more: str | None, rate: int) -> Iterator[Piece[tuple[SpeechPacket, float]]]:
    """Packets that more text completes, each with the second at which it begins; the text is read in the first turn.

    Args:
        text: what is being said.
        more: text; None: say what is left as if the text ended.
        rate: Hz.
    """
    for packet in text.flush() if more is None else text.feed(more):
        audio_s = len(packet.samples) / rate
        yield Piece((packet, text.seconds - audio_s), audio_s)
