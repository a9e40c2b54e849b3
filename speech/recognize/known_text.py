"""Forced alignment: timestamps for the words of a known text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from speech.decode.words.alignment import align
from speech.errors import SpeechError
from speech.recognize.offline import OfflineReader, by_ctc
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.text.normalize import plain_text

_IN_SILENCE = 10.0
"""Penalty in nats for aligning a token to a silent frame: more than for any other sound."""


def align_text(reader: OfflineReader, samples: np.ndarray, text: str, request: Request) -> list[PartResult]:
    """Return the parts of a file; the first one contains the whole aligned text.

    Args:
        reader: must have CTC.
        samples: audio `(n,)` at 16 kHz.
        text: everything that is said, in order.
        request: with the languages of the speech.

    Raises:
        ConfigError: if the model has no CTC.
        SpeechError: if the text has characters that the model cannot write, or is too long for the audio.
    """
    second_pass = by_ctc(reader.second_pass, "alignment")
    extension = second_pass.named(request)
    tokenizer = second_pass.tokenizer if extension is None else extension.tokenizer
    plain = plain_text(text)
    ids, no_letter = tokenizer.encode(plain), tokenizer.vocabulary.unk
    if not ids or no_letter in ids:
        unk = [c for c in sorted(set(plain) - {" "}) if no_letter in tokenizer.encode(c)]
        raise SpeechError(
            f"the text has characters that the model does not write: {unk}" if ids else "the text is empty",
            fix="Write them as words.",
        )
    parts, log_probs = reader.listen([samples], request, extension)
    log_probs[reader.silence(samples, len(log_probs)), 1:] -= _IN_SILENCE
    said = align(log_probs, ids).spans
    parts[0] = replace(parts[0], spans=said if extension is None else extension.said(said), end_s=parts[-1].end_s)
    return parts
