"""What `speech say --chapters` does: a file per chapter, each of them whole or not there; what is whole is kept."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.progress import TextColumn

from speech.audio.playback import Player, check_player
from speech.cli.chapter_journal import TIMES, ChapterEntry, ChapterJournal, ChapterState, digest, file_stem
from speech.cli.console import stderr, to_json
from speech.cli.progress import progress
from speech.cli.say import SayRequest, in_pieces
from speech.cli.say_text import Write, audio_file, is_file_name, opened, spoken
from speech.errors import SpeechError, TextError
from speech.files import printable, write_atomically
from speech.models.adapters.file import fingerprint
from speech.models.hub import locate
from speech.models.kokoro_voice import VOICES
from speech.speaker import Speaker
from speech.tts.chapters import Chapter, chapters
from speech.tts.speech_stream import SaidWord, SpeakingOptions
from speech.tts.text_front_end.sentences import sentences
from speech.tts.text_front_end.ssml import is_ssml
from speech.tts.voice_blend import read_blend
from speech.tts.watermark import WatermarkChoice

_WHY = {
    ChapterState.other_text: "the text has changed, so it is said again",
    ChapterState.other_options: "the options have changed, so it is said again",
}


@dataclass(frozen=True, slots=True)
class PlannedChapter:
    """A chapter and the name of its files."""

    chapter: Chapter
    stem: str
    text: str
    """Digest of what is said."""
    ends: Sequence[int]
    """Where its sentences end."""


def say_chapters(text: str, request: SayRequest) -> None:
    """Say the chapters that a folder does not have yet, in order.

    Raises:
        TextError: if there is no text, it is a document with markup, or nothing of a chapter can be spoken.
        SpeechError: of any kind; what was whole before stays.
    """
    if is_ssml(text):
        raise TextError("a document with markup has no chapters", fix="Say it without --chapters.")
    assert request.output is not None
    folder = request.output.with_suffix("")
    found = chapters(text, folder.name)
    if not found:
        raise TextError("there is no text", fix="Give some words.")
    if request.play:
        check_player()
    speaker, options = opened(request)
    plan = [
        PlannedChapter(
            chapter,
            file_stem(number, len(found), chapter.title),
            digest(chapter.text),
            [one.end for one in sentences(chapter.text, options.language)],
        )
        for number, chapter in enumerate(found, 1)
    ]
    BookRun(speaker, options, request, folder).say(plan)


class BookProgress:
    """A bar over the sentences of a book: chapters, sentences, and how fast it is said.

    Args:
        plan: all chapters.
    """

    def __init__(self, plan: Sequence[PlannedChapter]) -> None:
        self._chapters, self._number, self._sentences = len(plan), 1, 0
        self._began, self._seconds = time.monotonic(), 0.0
        self._bar = progress(TextColumn("{task.fields[speed]}", markup=False))
        self._task = self._bar.add_task("", total=sum(len(one.ends) for one in plan), speed="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def said(self, planned: PlannedChapter, seconds: float, words: Sequence[SaidWord]) -> None:
        """Show what has been said of a chapter so far."""
        whole_s = max(self._seconds + seconds, 1e-3)
        self._bar.update(
            self._task,
            description=f"chapter {self._number}/{self._chapters} {printable(planned.chapter.title)}",
            completed=self._sentences + (bisect_right(planned.ends, words[-1].source_end) if words else 0),
            speed=f"real-time factor {(time.monotonic() - self._began) / whole_s:.2f}",
        )

    def ended(self, planned: PlannedChapter, seconds: float) -> None:
        """Note that a chapter is whole; `seconds` of it were said now."""
        self._number, self._sentences = self._number + 1, self._sentences + len(planned.ends)
        self._seconds += seconds
        self._bar.update(self._task, completed=self._sentences)


class BookRun:
    """Says the chapters of one book to one folder.

    Args:
        speaker: says them.
        options: how they are said.
        request: what was asked for.
        folder: of the book.
    """

    def __init__(self, speaker: Speaker, options: SpeakingOptions, request: SayRequest, folder: Path) -> None:
        self._speaker, self._options, self._request, self._folder = speaker, options, request, folder
        self._journal = ChapterJournal.read(folder)
        path, watermark = locate(request.model), WatermarkChoice(**request.watermark)
        marks = watermark.located(path, speaker.sample_rate)
        self._how: Mapping[str, Any] = {
            "model": fingerprint(path),
            "watermark": None if marks is None else [fingerprint(marks), watermark.message],
            "voice_files": _voice_files(request.manner.get("voice") or speaker.voice_of(options), request.model),
            "voice": speaker.voice_of(options),
            "language": options.language,
            "rate": options.rate,
            "seed": options.seed,
            "encoding": request.encoding.value,
        }

    def say(self, plan: Sequence[PlannedChapter]) -> None:
        """Say what is not whole; errors as `say_chapters`."""
        console = stderr()
        for old, new in self._journal.rename([(one.stem, one.text) for one in plan], self._how):
            console.print(f"{printable(old)}: is now {printable(new)}")
        for gone in self._journal.keep_only([one.stem for one in plan]):
            console.print(f"{printable(gone)}: no longer in the text, removed")
        states = [self._journal.state(one.stem, one.text, self._how) for one in plan]
        whole = states.count(ChapterState.whole)
        if whole:
            console.print(f"{whole} of {len(plan)} chapters are whole already")
        with ExitStack() as stack:
            shown = stack.enter_context(BookProgress(plan))
            played = [stack.enter_context(Player(self._speaker.sample_rate)).write] if self._request.play else []
            for one, state in zip(plan, states, strict=True):
                if state in _WHY:
                    console.print(f"{printable(one.stem)}: {_WHY[state]}")
                seconds = 0.0 if state == ChapterState.whole else self._say(one, shown, played)
                shown.ended(one, seconds)
        stems = [one.stem for one in plan]
        self._journal.write_playlist(self._folder.name, stems)
        total = sum(self._journal.seconds(stem) for stem in stems)
        console.print(f"{printable(self._folder)}: {len(plan)} chapters, {total:.1f} s")

    def _say(self, planned: PlannedChapter, shown: BookProgress, played: Sequence[Write]) -> float:
        """Say a chapter; return its duration in seconds."""
        audio = self._folder / f"{planned.stem}.{self._request.encoding}"
        rate, began, chapter = self._speaker.sample_rate, time.monotonic(), planned.chapter
        self._journal.forget(planned.stem, audio.name)
        try:
            with audio_file(audio, self._request.encoding, rate) as write:
                packets = self._speaker.stream(in_pieces(chapter.text), self._options)
                said = spoken(packets, [write, *played], lambda now: shown.said(planned, now.samples / rate, now.words))
        except SpeechError as error:
            where = f"chapter {planned.stem}" + (f", {error.where}" if error.where else "")
            raise type(error)(error.what, where=printable(where), fix=error.fix) from error
        seconds = said.samples / rate
        record = {
            "title": chapter.title,
            "text": chapter.text,
            "duration": round(seconds, 3),
            "language": self._options.language,
            "words": [word.to_dict() for word in said.words],
        }
        write_atomically(self._folder / (planned.stem + TIMES), to_json(record, indent=1) + "\n")
        size = audio.stat().st_size
        entry = ChapterEntry(chapter.title, audio.name, size, round(seconds, 3), planned.text, self._how)
        self._journal.record(planned.stem, entry)
        factor = (time.monotonic() - began) / max(seconds, 1e-3)
        counted = f"{seconds:.1f} s, {len(said.words)} words, real-time factor {factor:.2f}"
        stderr().print(f"{printable(audio)}: {counted}")
        return seconds


def _voice_files(voice: str, model: str) -> list[str]:
    """Digests of the files that the voices of a blend come from."""
    names = (Path(name) if is_file_name(name) else _stored(name, model) for name in read_blend(voice))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in names if path.is_file()]


def _stored(name: str, model: str) -> Path:
    return locate(model) / VOICES / f"{name}.safetensors"
