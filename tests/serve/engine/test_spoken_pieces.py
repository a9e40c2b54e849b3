"""Turns of texts whose words are timed."""

import numpy as np

from serve.engine.spoken_pieces import spoken_pieces
from speech.tts.speech_stream import SpeechPacket


class Text:
    """Says a second for each letter, and two at the end."""

    seconds = 0.0

    def feed(self, piece):
        return self._said(len(piece))

    def flush(self):
        return self._said(2)

    def _said(self, count):
        for _ in range(count):
            self.seconds += 1.0
            yield SpeechPacket(np.zeros(10, np.float32), ())


def test_each_packet_knows_where_it_begins_and_nothing_is_said_before_its_turn():
    text = Text()
    pieces = spoken_pieces(text, "ab", 10)
    assert text.seconds == 0
    assert [(piece.value[1], piece.audio_s) for piece in pieces] == [(0.0, 1.0), (1.0, 1.0)]
    assert [piece.value[1] for piece in spoken_pieces(text, None, 10)] == [2.0, 3.0]
