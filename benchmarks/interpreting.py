"""Speech-to-speech translation into English: what is heard, how late, how fast, and in whose voice.

    python benchmarks/interpreting.py ROOT --whisper DIR --seconds 200 --output benchmarks/results/interpreting.json

Translated test clips of one speaker, half a second apart, make a talk; `speech.interpreting` says it in English on a
virtual clock. With `--aware`, that also runs while the machine computes. Each utterance belongs to the clip in which
the middle of the speech that it translates lies.

- BLEU and chrF of the text that was said, and of what Whisper-base (faster-whisper, int8, beam 5) writes of its sound.
- Lags in seconds: `span` from the beginning of the speech to that of its translation (ear-voice span), `end` between
  their ends, `atd` the average token delay of each clip; medians and p95.
- Rate: Pearson correlation, over clips with at least 15 letters, of letters a second of the clip (forced alignment,
  over what is usual in the language) with those of the translation.
- Similarity: cosine of the voice vectors (resemblyzer) of the translation and of the talk, where the voice is `cloned`
  from ten seconds of the talk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soxr
import torch
import typer
from clips import save, table
from rich.console import Console
from timing import machine

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.audio.vad import Vad
from speech.cli.interpret_file import enrolment_wave
from speech.data.manifest import Utterance, read_manifest
from speech.interpret.pace import USUAL_LETTERS_PER_S, articulation
from speech.interpret.settings import InterpretSettings
from speech.interpreting import Interpretation, InterpretRequest, SaidUtterance, interpret
from speech.metrics.speech_quality.voice import VoiceEncoder, similarity
from speech.metrics.token_delay import HeardChunk, average_token_delay
from speech.metrics.translation import BLEU, CHRF, translation_figures
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.tts.cloning import CloneRequest
from speech.tts.voice_file import VoiceFile
from speech.tts.watermark import WatermarkChoice

LANGUAGES, ENGLISH, GAP_S, LEAST_LETTERS = ("fra", "spa", "deu"), "eng", 0.5, 15
VOICE = "speaker"


@dataclass(frozen=True, slots=True)
class Talk:
    """Clips of one speaker, one behind the other."""

    language: str
    speaker: str
    clips: tuple[Utterance, ...]
    samples: np.ndarray
    spans: tuple[tuple[float, float], ...]
    """Where each clip lies, in seconds."""


@dataclass(frozen=True, slots=True)
class HeardClip:
    """What was heard of one clip."""

    clip: Utterance
    said: str
    recognised: str
    rates: tuple[float, float] | None
    """Relative letters a second of the clip and of the translation; None: there are too few letters."""
    delay_s: float | None


def main(
    root: Path,
    whisper: Annotated[Path, typer.Option(help="CTranslate2 conversion of Whisper-base.")],
    seconds: Annotated[float, typer.Option(help="Of speech, per language.")] = 200.0,
    clone: Annotated[bool, typer.Option("--clone", help="In the voice of the speaker; takes minutes each.")] = False,
    even_rate: Annotated[bool, typer.Option("--even-rate", help="Do not carry the rate over.")] = False,
    complete: Annotated[bool, typer.Option("--complete", help="Translate complete parts.")] = False,
    aware: Annotated[bool, typer.Option("--aware", help="Computation takes time.")] = False,
    languages: Annotated[str, typer.Option(help="With commas between.")] = ",".join(LANGUAGES),
    output: Annotated[Path | None, typer.Option(help="Write figures and texts as JSON.")] = None,
) -> None:
    """Print the table."""
    from faster_whisper import WhisperModel

    torch.set_num_threads(1)
    listener = WhisperModel(str(whisper), device="cpu", compute_type="int8", cpu_threads=1)
    recognizer = Recognizer.from_pretrained()
    encoder = VoiceEncoder(Vad())
    rows, texts = list[dict[str, Any]](), list[dict[str, Any]]()
    for code in languages.split(","):
        for talk in talks(root, code, seconds):
            voices = [voice_of(talk, recognizer)] if clone else []
            speaker = Speaker.from_pretrained(voices=voices)
            options = {} if not complete else {"translation": None}
            request = InterpretRequest(
                to=ENGLISH,
                languages=(code,),
                voice=VOICE if clone else "",
                settings=InterpretSettings(carry_rate=not even_rate),
                computation_aware=aware,
                **options,
            )
            found = interpret(recognizer.engine(), speaker, talk.samples, request)
            clips = [
                heard(one, span, found, recognizer, listener) for one, span in zip(talk.clips, talk.spans, strict=True)
            ]
            alike = similarity_of(encoder, talk, found) if clone else None
            rows.append(row(talk, clips, found, alike))
            texts += [
                {"clip": one.clip.id, "said": one.said, "recognised": one.recognised, "rates": one.rates}
                for one in clips
            ]
            Console(width=160).print(table(rows))
    pooled = correlation([one["rates"] for one in texts])
    print(f"rate correlation of all clips: {pooled}")
    save(output, {"seconds": seconds, "carry_rate": not even_rate, "clone": clone, "complete": complete, "aware": aware,
                  **machine(), "rate_correlation": pooled, "rows": rows, "texts": texts})  # fmt: skip


def talks(root: Path, code: str, seconds: float) -> list[Talk]:
    """Talks of a language: of each speaker with at least a minute of translated clips, the same share of seconds."""
    found = [u for u in read_manifest(root / "test.jsonl", root) if u.language == code and u.translations.get(ENGLISH)]
    speakers = dict.fromkeys(clip.speaker for clip in found)
    of = {name: [clip for clip in found if clip.speaker == name] for name in speakers}
    enough = {
        name: clips for name, clips in of.items() if sum(clip.duration_s for clip in clips) >= 100.0 or len(of) == 1
    }
    return [talk(code, name or "", clips, seconds / len(enough)) for name, clips in enough.items()]


def talk(code: str, name: str, clips: Sequence[Utterance], seconds: float) -> Talk:
    """The first clips of a speaker, up to some seconds."""
    pieces, spans, taken, at = list[np.ndarray](), list[tuple[float, float]](), list[Utterance](), 0
    gap = np.zeros(round(GAP_S * SAMPLE_RATE), np.float32)
    for clip in clips:
        if at >= seconds * SAMPLE_RATE:
            break
        samples = load_audio(clip.audio)
        pieces += [samples, gap]
        spans.append((at / SAMPLE_RATE, (at + len(samples)) / SAMPLE_RATE))
        at += len(samples) + len(gap)
        taken.append(clip)
    return Talk(code, name, tuple(taken), np.concatenate(pieces), tuple(spans))


def voice_of(talk: Talk, recognizer: Recognizer) -> VoiceFile:
    """The voice of the speaker, from ten seconds of speech."""
    wanted = CloneRequest(name=VOICE, language=talk.language, consent="An openly licensed recording.")
    cloner = Speaker.from_pretrained(watermark=WatermarkChoice(on=False)).cloner(recognizer)
    return cloner.clone(enrolment_wave(talk.samples), wanted)


def heard(
    clip: Utterance, span: tuple[float, float], found: Interpretation, recognizer: Recognizer, listener: Any
) -> HeardClip:
    """What was heard of a clip."""
    own = [one for one in found.utterances if span[0] - GAP_S / 2 <= middle(one) < span[1] + GAP_S / 2]
    pieces = [
        found.samples[round(one.start_s * found.sample_rate) : round(one.end_s * found.sample_rate)] for one in own
    ]
    said, text = " ".join(one.utterance.text for one in own), ""
    if pieces:
        samples = soxr.resample(np.concatenate(pieces), found.sample_rate, SAMPLE_RATE).astype(np.float32)
        segments, _ = listener.transcribe(samples, language="en", beam_size=5)
        text = " ".join(one.text.strip() for one in segments)
    begin_s = span[0]
    chunks = [
        HeardChunk(max(one.utterance.written_s - begin_s, 0.1), one.start_s - begin_s, one.end_s - begin_s)
        for one in own
    ]
    return HeardClip(clip, said, text, rates(clip, own, recognizer), average_token_delay(chunks))


def middle(one: SaidUtterance) -> float:
    """Of the speech that an utterance translates."""
    return sum(one.utterance.source) / 2


def rates(clip: Utterance, own: Sequence[SaidUtterance], recognizer: Recognizer) -> tuple[float, float] | None:
    """Letters a second of a clip and of its translation, over what is usual."""
    source = articulation(recognizer.align(load_audio(clip.audio), clip.text, language=clip.language).words)
    letters = sum(letter.isalnum() for one in own for letter in one.utterance.text)
    seconds = sum(one.words[-1].end_s - one.words[0].start_s for one in own if one.words)
    if min(source.letters, letters) < LEAST_LETTERS or not source.seconds or not seconds:
        return None
    usual = USUAL_LETTERS_PER_S
    return source.letters / source.seconds / usual[clip.language], letters / seconds / usual[ENGLISH]


def similarity_of(encoder: VoiceEncoder, talk: Talk, found: Interpretation) -> float | None:
    """Of the voice of the translation to that of the talk."""
    said = soxr.resample(found.samples, found.sample_rate, SAMPLE_RATE).astype(np.float32)
    one, other = encoder.vector(talk.samples), encoder.vector(said)
    return None if one is None or other is None else round(similarity(one, other), 3)


def row(talk: Talk, clips: Sequence[HeardClip], found: Interpretation, alike: float | None) -> dict[str, Any]:
    """One row of the table."""
    references = [one.clip.translations[ENGLISH] for one in clips]
    codes = [ENGLISH] * len(clips)
    figures: dict[str, Any] = {"language": talk.language, "speaker": talk.speaker, "clips": len(clips)}
    figures["seconds"] = round(len(talk.samples) / SAMPLE_RATE, 1)
    for name, texts in (("text", [one.said for one in clips]), ("asr", [one.recognised for one in clips])):
        scores = translation_figures(references, texts, codes)
        figures |= {f"{name}_{kind}": round(scores[kind].over(range(len(clips))) or 0.0, 1) for kind in (BLEU, CHRF)}
    spans = [one.start_s - one.utterance.source[0] for one in found.utterances]
    ends = [one.end_s - one.utterance.source[1] for one in found.utterances]
    delays = [one.delay_s for one in clips if one.delay_s is not None]
    for name, lags in (("span", spans), ("end", ends), ("atd", delays)):
        figures[name] = [round(float(np.quantile(lags, share)), 2) for share in (0.5, 0.95)] if lags else None
    figures["rate_correlation"] = correlation([one.rates for one in clips])
    return figures | ({} if alike is None else {"similarity": alike})


def correlation(found: Sequence[tuple[float, float] | None]) -> list[float] | None:
    """Pearson correlation of rates, and of how many clips; None: there are too few."""
    both = np.array([one for one in found if one is not None])
    return [round(float(np.corrcoef(both.T)[0, 1]), 2), len(both)] if len(both) > 2 else None


if __name__ == "__main__":
    typer.run(main)
