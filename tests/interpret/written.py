"""Translations as a live session writes them, for tests."""

from speech.events import TranscriptEvent, TranslationEvent
from speech.transcript import Word


def words(text, begin_s=0.0, seconds=0.4, gap_s=0.0, language="eng"):
    """Words one behind the other."""
    step = seconds + gap_s
    return tuple(
        Word(word, begin_s + number * step, begin_s + number * step + seconds, 1.0, language)
        for number, word in enumerate(text.split())
    )


def translation(text, *, segment=0, final=False, stable=None, begin_s=0.0, target="eng"):
    """All of a segment's translation so far."""
    own = words(text, begin_s)
    stable = len(own) if stable is None else stable
    return TranslationEvent(
        segment=segment, target=target, is_final=final, text=text, stable=stable, words=own, start_s=begin_s,
        end_s=begin_s + 0.4 * len(own), audio_s=begin_s,
    )  # fmt: skip


def transcript(text, *, segment=0, final=True, seconds=0.4, gap_s=0.0, language="fra"):
    """A segment's transcript."""
    own = words(text, 0.0, seconds, gap_s, language)
    return TranscriptEvent(
        segment=segment, revision=0, is_final=final, text=text, stable=len(own), words=own, start_s=0.0, end_s=1.0,
        audio_s=1.0,
    )  # fmt: skip
