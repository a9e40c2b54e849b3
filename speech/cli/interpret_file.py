"""What `speech interpret` does once its options are checked."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
import soundfile
import soxr
from rich.progress import Progress, TaskID

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.audio.vad import Vad, segment
from speech.choices import AUTO
from speech.cli.console import stderr
from speech.cli.interpret import InterpretFileRequest
from speech.cli.progress import progress
from speech.cli.say_text import audio_file, named_voices, times
from speech.errors import AudioError, ConfigError
from speech.files import printable, read_text, write_atomically
from speech.interpret.settings import InterpretSettings
from speech.interpreting import Interpretation, InterpretRequest, interpret
from speech.recognize.request import Request
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.stream.options import TranslationOptions
from speech.tts.cloning import LONGEST_S, CloneRequest
from speech.tts.voice_file import VoiceFile
from speech.tts.watermark import WatermarkChoice

ENROLMENT_S = 10.0
"""Seconds of speech from which a voice is made."""
_CLONED = "speaker"


def interpret_file(request: InterpretFileRequest) -> None:
    """Translate a recording and write how it is said.

    Raises:
        SpeechError: of any kind; no file is written then.
    """
    settings = InterpretSettings(**request.settings)
    samples = load_audio(request.source)
    recognizer = Recognizer.from_pretrained(request.model, device=request.device)
    spoken = Request.parse(request.language)
    recognizer.check(spoken)
    voice, files = named_voices(request.voice)
    if request.consent is not None:
        files, voice = [_imitated(request, recognizer, samples)], _CLONED
    speaker = Speaker.from_pretrained(request.voice_model, device=request.device, voices=files)
    drafts = request.to in recognizer.drafts_into and not request.complete
    wanted = InterpretRequest(
        to=request.to,
        languages=spoken.languages,
        voice=voice,
        translation=TranslationOptions(append=True) if drafts else None,
        settings=settings,
    )
    with progress() as bars:
        task = bars.add_task("interpreting, seconds", total=round(len(samples) / SAMPLE_RATE))
        heard = partial(_heard, bars, task)
        found = interpret(recognizer.engine(), speaker, samples, wanted, heard)
    if not found.utterances:
        raise AudioError("nobody speaks in it, or nothing was translated", where=printable(request.source))
    with audio_file(request.output, request.encoding, found.sample_rate) as write:
        write(over_original(found, samples, request.original))
    if request.words is not None:
        said = [word for one in found.utterances for word in one.words]
        seconds = len(found.samples) / found.sample_rate
        write_atomically(request.words, times(said, request.words.suffix, seconds, request.to))
    _tell(request, found)


def enrolment(samples: np.ndarray, speech: list[tuple[float, float]]) -> np.ndarray:
    """The part of a recording from which a voice is made: from the first speech until there are ten seconds of it, or
    the longest that cloning takes.

    Args:
        samples: `(n,)` at 16 kHz.
        speech: segments `(start_s, end_s)` in order.
    """
    if not speech:
        return samples[:0]
    start_s, said_s, end_s = speech[0][0], 0.0, speech[0][0]
    for begin_s, stop_s in speech:
        end_s = min(stop_s, begin_s + ENROLMENT_S - said_s)
        said_s += end_s - begin_s
        if said_s >= ENROLMENT_S:
            break
    end_s = min(end_s, start_s + LONGEST_S)
    return samples[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]


def enrolment_wave(samples: np.ndarray) -> io.BytesIO:
    """The `enrolment` of a recording `(n,)` at 16 kHz, as a WAV file."""
    wave = io.BytesIO()
    soundfile.write(wave, enrolment(samples, segment(samples, Vad())), SAMPLE_RATE, format="WAV")
    wave.seek(0)
    return wave


def over_original(found: Interpretation, samples: np.ndarray, gain: float) -> np.ndarray:
    """The translation `(n,)` over the original `(m,)` at 16 kHz, at the rate of the translation."""
    if not gain:
        return found.samples
    under = soxr.resample(samples, SAMPLE_RATE, found.sample_rate).astype(np.float32) * np.float32(gain)
    mixed = np.zeros(max(len(under), len(found.samples)), np.float32)
    mixed[: len(under)] = under
    mixed[: len(found.samples)] += found.samples
    return np.clip(mixed, -1.0, 1.0)


def _imitated(request: InterpretFileRequest, recognizer: Recognizer, samples: np.ndarray) -> VoiceFile:
    """The voice of the speaker.

    Raises:
        ConfigError: if the language of the recording is not named.
    """
    assert request.consent is not None
    if request.language == AUTO or "," in request.language:
        raise ConfigError("--clone needs the language of the recording", fix="Give it by --language.")
    speaker = Speaker.from_pretrained(request.voice_model, device=request.device, watermark=WatermarkChoice(on=False))
    wanted = CloneRequest(name=_CLONED, language=request.language, consent=read_text(request.consent))
    with progress() as bars:
        task = bars.add_task("imitating the speaker", total=None)
        return speaker.cloner(recognizer, partial(_fitted, bars, task)).clone(enrolment_wave(samples), wanted)


def _heard(bars: Progress, task: TaskID, seconds: float) -> None:
    bars.update(task, completed=int(seconds))


def _fitted(bars: Progress, task: TaskID, done: int, steps: int) -> None:
    bars.update(task, completed=done, total=steps)


def _tell(request: InterpretFileRequest, found: Interpretation) -> None:
    lags = sorted(one.end_s - one.utterance.source[1] for one in found.utterances)
    seconds = len(found.samples) / found.sample_rate
    text = (
        f"{seconds:.1f} s, {len(lags)} utterances, each over {lags[len(lags) // 2]:.1f} s after its original (median)"
    )
    stderr().print(f"{printable(request.output)}: {text}", markup=False)
    for unsaid, why in found.unsaid:
        stderr().print(f"not said: {unsaid!r}: {why}", markup=False)
