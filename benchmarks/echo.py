"""Echo cancellation: how much of an echo is left, how often it is taken for speech, and what is left of a voice.

    uv run --extra train benchmarks/echo.py ROOT --output benchmarks/results/echo.json

A mixture is the echo of real speech in a synthetic room for twelve seconds, noise 40 dB below it, and other real speech
in the last six of them. Rooms are noise that falls 60 dB in .2 to .5 s, after a delay of 5 to 200 ms. Signal-to-echo
ratios are -10, 0 and 10 dB, and 0 dB through a loudspeaker that clips softly, by turns. The canceller begins with each
mixture. Its constants were chosen on other clips (of train.jsonl), other seeds and other rooms of this kind.

ERLE is the power of the echo beside that of what is left of it, while nobody speaks. Frames of 32 ms are speech as the
package's voice activity detection says: false ones after the first half second, and those of the voice alone that are
still speech in the mixture. The latter count while the echo is there, with and without the canceller.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from clips import save, table
from rich.console import Console
from rich.progress import track
from timing import Spent, machine, timed

from speech.audio import SAMPLE_RATE
from speech.audio.augment import reverb
from speech.audio.echo import EchoCanceller
from speech.audio.input.files import load_audio
from speech.audio.vad import FRAME_S, THRESHOLD, Vad
from speech.data.manifest import Utterance, read_manifest

ALONE_S, TOGETHER_S = 6.0, 6.0
"""Echo alone, then echo and voice."""
CONDITIONS = ((-10.0, False), (0.0, False), (10.0, False), (0.0, True))
"""Signal-to-echo ratio in dB, and whether the loudspeaker clips."""
NOISE_DB = -40.0
"""Beside the echo."""
_LEAST_S = 2.0
_LEVEL = 0.05
"""Root mean square of each clip."""
_SETTLED_S = 0.5
"""After which false frames count: the detection itself takes some frames."""


class Mixture(NamedTuple):
    """Signals `(n,)` float32 whose sum, without the reference, the microphone hears."""

    reference: np.ndarray
    echo: np.ndarray
    voice: np.ndarray
    """Silent for the first `ALONE_S`."""
    noise: np.ndarray

    @property
    def microphone(self) -> np.ndarray:
        """What is heard."""
        return self.echo + self.voice + self.noise


def response(rng: np.random.Generator, rt60_s: float, delay_s: float) -> np.ndarray:
    """Draw an echo path `(n,)` of energy 1: a delay, then noise that falls 60 dB in `rt60_s` seconds."""
    times_s = np.arange(round(1.2 * rt60_s * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(times_s)) * 10.0 ** (-3.0 * times_s / rt60_s)
    path = np.concatenate([np.zeros(round(delay_s * SAMPLE_RATE)), tail / np.sqrt(np.sum(tail**2))])
    return path.astype(np.float32)


def clipped(samples: np.ndarray) -> np.ndarray:
    """Samples `(n,)` through a loudspeaker that clips softly at three times their root mean square."""
    limit = np.float32(3.0 * np.sqrt(np.mean(samples**2)) + 1e-9)
    return limit * np.tanh(samples / limit)


def mixed(reference: np.ndarray, voice: np.ndarray, ser_db: float, clips: bool, rng: np.random.Generator) -> Mixture:
    """Mix signals `(n,)` in a room that is drawn; the voice begins after `ALONE_S`."""
    begin = round(ALONE_S * SAMPLE_RATE)
    path = response(rng, rng.uniform(0.2, 0.5), rng.uniform(0.005, 0.2))
    echo = reverb(clipped(reference) if clips else reference, path)
    voice = np.concatenate([np.zeros(begin, np.float32), voice[begin:]])
    wanted = float(np.mean(voice[begin:] ** 2)) / 10.0 ** (ser_db / 10.0)
    echo = echo * np.float32(np.sqrt(wanted / float(np.mean(echo**2))))
    noise = rng.standard_normal(len(echo)).astype(np.float32) * np.float32(np.sqrt(wanted) * 10.0 ** (NOISE_DB / 20.0))
    return Mixture(reference, echo, voice, noise)


def measured(mixture: Mixture, vad: Vad, canceller: EchoCanceller) -> tuple[dict[str, float], Spent]:
    """Figures of a mixture, and the time that the canceller took."""
    heard = mixture.microphone
    cleaned, spent = timed(lambda: canceller.clean(heard, mixture.reference))
    result: dict[str, float] = {}
    for name, start_s, end_s in (("erle_first_2s", 0.0, 2.0), ("erle_2s_on", 2.0, ALONE_S)):
        here = slice(round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE))
        ratio = np.mean(mixture.echo[here] ** 2) / (np.mean(cleaned[here] ** 2) + 1e-12)
        result[name] = float(10.0 * np.log10(ratio))
    alone = vad.probabilities(mixture.voice + mixture.noise) >= THRESHOLD
    times_s = np.arange(len(alone)) * FRAME_S
    together = times_s >= ALONE_S
    only_echo = (times_s >= _SETTLED_S) & (times_s < ALONE_S - FRAME_S)
    for name, samples in (("heard", heard), ("cleaned", cleaned)):
        speech = vad.probabilities(samples) >= THRESHOLD
        result[f"false_{name}"] = float(speech[only_echo].mean())
        result[f"any_false_{name}"] = float(speech[only_echo].any())
        result[f"kept_{name}"] = float(speech[together & alone].mean()) if (together & alone).any() else 1.0
        result[f"pauses_{name}"] = float(speech[together & ~alone].mean()) if (together & ~alone).any() else 0.0
    return result, spent


def joined(clips: Sequence[Utterance], rng: np.random.Generator, speaker: str = "") -> tuple[np.ndarray, str]:
    """Speech of twelve seconds, of one drawn speaker other than `speaker`, with pauses; and who speaks."""
    others = [clip for clip in clips if clip.speaker != speaker]
    who = others[rng.integers(len(others))].speaker
    own = [clip for clip in others if clip.speaker == who]
    wanted, parts, count = round((ALONE_S + TOGETHER_S) * SAMPLE_RATE), [], 0
    while count < wanted:
        samples = load_audio(own[rng.integers(len(own))].audio)
        samples = samples * np.float32(_LEVEL / (np.sqrt(np.mean(samples**2)) + 1e-9))
        pause = np.zeros(round(rng.uniform(0.1, 0.4) * SAMPLE_RATE), np.float32)
        parts += [samples, pause]
        count += len(samples) + len(pause)
    return np.concatenate(parts)[:wanted], who


def rows(found: Sequence[tuple[tuple[float, bool], dict[str, float]]]) -> list[dict[str, Any]]:
    """Means of figures per condition: dB, and percent."""
    made: list[dict[str, Any]] = []
    for condition in dict.fromkeys(one[0] for one in found):
        own = [figures for other, figures in found if other == condition]
        row: dict[str, Any] = {"ser_db": condition[0], "clips": condition[1], "mixtures": len(own)}
        for name in own[0]:
            mean = float(np.mean([figures[name] for figures in own]))
            row[name] = round(mean, 1) if name.startswith("erle") else round(100 * mean, 2)
        made.append(row)
    return made


def main(
    root: Annotated[Path, typer.Argument(help="Folder with the manifest and the audio.", exists=True)],
    manifest: Annotated[Path, typer.Option(help="Manifest, relative to the folder.")] = Path("test.jsonl"),
    count: Annotated[int, typer.Option(help="Mixtures.")] = 200,
    seed: Annotated[int, typer.Option(help="Of clips, rooms and noise.")] = 1000,
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Print figures per condition, and the canceller's seconds per second of audio."""
    console = Console()
    clips = [clip for clip in read_manifest(root / manifest, root) if clip.duration_s >= _LEAST_S]
    vad, canceller, found, total = Vad(), EchoCanceller(), [], Spent()
    for number in track(range(count), "mixtures", console=Console(stderr=True)):
        rng = np.random.default_rng([seed, number])
        condition = CONDITIONS[number % len(CONDITIONS)]
        reference, speaker = joined(clips, rng)
        voice, _ = joined(clips, rng, speaker)
        figures, spent = measured(mixed(reference, voice, *condition, rng), vad, canceller)
        found.append((condition, figures))
        total += spent
    speed = total.per(count * (ALONE_S + TOGETHER_S))
    console.print(table(rows(found)))
    console.print(f"seconds per second of audio: wall {speed['wall']}, cpu {speed['cpu']}", markup=False)
    settings = {"manifest": str(manifest), "count": count, "seed": seed}
    save(output, {"machine": machine(), "settings": settings, "results": rows(found), "seconds_per_second": speed})


if __name__ == "__main__":
    typer.run(main)
