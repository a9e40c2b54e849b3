"""Spoken dialogue: interruptions, listening sounds, noises and hesitations.

    python benchmarks/dialogue.py ROOT --count 200 --output benchmarks/results/dialogue_scenes.json

It plays scenes on the clock of their audio (`dialogue_scenes.py`). In each a person (clips of ROOT/test.jsonl)
asks, our voice answers at length, and then, at a random time of the answer: another clip of three or more words
interrupts it; or one of a single word does; or the voices of the package say a listening sound ("mhm", "okay"); or
there is a noise (`sounds.py`). Hesitations are clips with a pause of .5 to 1.2 s between two words; the peers are the
text alone, and voice activity alone, with a pause of .5 s. What is decided by a threshold was chosen with `--part dev`,
whose listening sounds are other ones. A history is right if
the last word that it keeps of an interrupted reply is the last one of which the listener heard at least half, by forced
alignment of the reply's samples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soxr
import typer
from clips import save
from dialogue_scenes import SpokenReply, Stage, silence, spoken_reply, trimmed
from rich.console import Console
from rich.progress import track
from sounds import KINDS, levelled
from timing import machine

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.dialogue.actions import Held, TurnTaken
from speech.dialogue.backchannels import only_listens
from speech.dialogue.end_of_turn import EndOfTurn
from speech.dialogue.settings import DialogueSettings
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions

LANGUAGES = ("eng", "spa", "fra", "deu")
REPLIES = {
    "eng": "Thank you for asking. The library opens at nine in the morning and closes when the last reader goes home.",
    "spa": "Gracias por preguntar. La biblioteca abre a las nueve de la mañana y cierra cuando se va el último lector.",
    "fra": "Merci de votre question. La bibliothèque ouvre à neuf heures et ferme quand le dernier lecteur s'en va.",
    "deu": "Danke für die Frage. Die Bibliothek öffnet um neun Uhr morgens und schließt, wenn der letzte Leser geht.",
}
LISTENING = {
    "eng": ("Mm-hmm.", "Uh-huh.", "Yeah.", "Okay.", "Right.", "I see."),
    "spa": ("Sí.", "Ajá.", "Vale.", "Claro."),
    "fra": ("Oui.", "D'accord.", "Ouais.", "Voilà."),
    "deu": ("Ja.", "Genau.", "Okay.", "Aha."),
}
OTHER_LISTENING = {
    "eng": ("Mhm.", "Yes.", "Sure.", "Got it.", "Uh-huh.", "Of course."),
    "spa": ("Ya.", "Bueno.", "Exacto.", "Mm-hmm."),
    "fra": ("Bien sûr.", "Ah oui.", "Mm-hmm.", "Très bien."),
    "deu": ("Ach so.", "Klar.", "Mm-hmm.", "Stimmt."),
}
"""In scenes of dev."""
LATE_S, STOP_S = 1.2, 0.2
WORDS = 3
"""Of an interruption, at least; of one word it is measured apart."""


class Material:
    """Clips and replies.

    Args:
        root: of the corpus.
        part: of it.
        seed: of all choices.
    """

    def __init__(self, root: Path, part: str, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.recognizer, self.speaker = Recognizer.from_pretrained(), Speaker.from_pretrained()
        clips = [clip for clip in read_manifest(root / f"{part}.jsonl", root) if clip.duration_s <= 5.0]
        self.clips = {code: [clip for clip in clips if clip.language == code] for code in LANGUAGES}
        self.listening = LISTENING if part == "test" else OTHER_LISTENING
        self.replies = {code: spoken_reply(self.speaker, text, code) for code, text in REPLIES.items()}

    def clip(self, code: str) -> tuple[Utterance, np.ndarray]:
        """A clip of a language that lasts a second or more, without the silence around it."""
        return self._one_of([clip for clip in self.clips[code] if clip.duration_s >= 1.0])

    def interruption(self, code: str, *, one_word: bool) -> np.ndarray:
        """A clip of one word, or of three or more."""
        counts = [(clip, len(clip.text.split())) for clip in self.clips[code]]
        return self._one_of([clip for clip, count in counts if (count == 1 if one_word else count >= WORDS)])[1]

    def _one_of(self, clips: Sequence[Utterance]) -> tuple[Utterance, np.ndarray]:
        chosen = clips[int(self.rng.integers(len(clips)))]
        return chosen, trimmed(load_audio(chosen.audio))

    def listening_sound(self, code: str, number: int) -> np.ndarray:
        """One said by one of the voices of its language, at a rate of .8 to 1.2."""
        text = self.listening[code][number % len(self.listening[code])]
        own = [voice for voice in self.speaker.voices if self.speaker.language_of(voice) == code] or [""]
        rate = float(self.rng.uniform(0.8, 1.2))
        options = SpeakingOptions(language=code, voice=own[number // 7 % len(own)], rate=rate)
        said = self.speaker.say(text, options)
        return trimmed(soxr.resample(said.samples, said.sample_rate, SAMPLE_RATE).astype(np.float32))

    def noise(self, number: int) -> np.ndarray:
        """A sound of .3 to 1.5 s."""
        make = list(KINDS.values())[number % len(KINDS)]
        count = round(float(self.rng.uniform(0.3, 1.5)) * SAMPLE_RATE)
        return levelled(make(count, self.rng), float(self.rng.uniform(-40.0, -18.0)))

    def hesitation(self, code: str) -> tuple[np.ndarray, float, float] | None:
        """A clip with a pause between two words, where the pause begins and how long it is; None: it has too few."""
        _, samples = self.clip(code)
        words = self.recognizer.transcribe(samples, language=code).words
        if len(words) < 4:
            return None
        place = int(self.rng.integers(1, len(words) - 1))
        cut_s, pause_s = (words[place - 1].end_s + words[place].start_s) / 2, float(self.rng.uniform(0.5, 1.2))
        cut = round(cut_s * SAMPLE_RATE)
        before = trimmed(samples[:cut])
        return np.concatenate([before, silence(pause_s), samples[cut:]]), len(before) / SAMPLE_RATE, pause_s


def scenes(
    root: Path,
    count: Annotated[int, typer.Option(help="Scenes of each kind.", min=4)] = 200,
    seed: int = 20,
    part: Annotated[str, typer.Option(help="Of the corpus: test, or dev to choose thresholds by.")] = "test",
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Play scenes and print what went wrong how often."""
    material = Material(root, part, seed)
    engine, judge = material.recognizer.engine(), EndOfTurn().probability
    judges = {"voice and text": judge, "text": lambda text, language, heard: judge(text, language), "pauses": None}
    stages = {name: Stage(engine, own, only_listens, DialogueSettings()) for name, own in judges.items()}
    ours = stages["voice and text"]
    record: dict[str, Any] = {"part": part, "count": count, "seed": seed, **machine()}
    kinds: dict[str, Callable[[], dict[str, Any]]] = {
        "hesitations": lambda: hesitations(material, stages, count),
        "interruptions": lambda: interruptions(material, ours, count),
        "listening_sounds": lambda: over_our_voice(material, ours, count, noise=False),
        "one_word": lambda: interruptions(material, ours, count, one_word=True),
        "noises": lambda: over_our_voice(material, ours, count, noise=True),
    }
    for name, play in kinds.items():
        record[name] = play()
        save(output, record)
    Console().print_json(json.dumps(record))


def interruptions(material: Material, stage: Stage, count: int, *, one_word: bool = False) -> dict[str, Any]:
    """How soon our voice stops, and whether the history has the right words."""
    stops, right, missed = list[float](), 0, list[str]()
    truth = {code: aligned_ends(material, reply, code) for code, reply in material.replies.items()}
    for number in track(range(count), description="interruptions", transient=True):
        code = LANGUAGES[number % len(LANGUAGES)]
        after_s, over = float(material.rng.uniform(0.5, 3.5)), material.interruption(code, one_word=one_word)
        began: list[float] = []

        audio = np.concatenate([silence(after_s), over])

        def then(now: float, audio: np.ndarray = audio, began: list[float] = began, after_s: float = after_s) -> Any:
            began.append(now + after_s)
            return audio

        scene = stage.play(material.clip(code)[1], material.replies[code], then, code, 14.0)
        stopped = scene.stopped_s(began[0] if began else 0.0)
        cut = scene.truncated()
        if stopped is None or cut is None:
            missed.append(scene.missed())
            continue
        stops.append(stopped - began[0])
        right += len(cut.text.split()) == words_heard(truth[code], cut.played_s)
    return {
        "missed": len(missed),
        "missed_because": sorted(missed),
        "stopped_p50_ms": milliseconds(stops, 0.5),
        "stopped_p95_ms": milliseconds(stops, 0.95),
        "within_200_ms": round(sum(stop <= STOP_S for stop in stops) / count, 3),
        "right_history": round(right / count, 3),
    }


def aligned_ends(material: Material, reply: SpokenReply, code: str) -> list[tuple[float, float]]:
    """Begin and end of each written word of a reply as it is heard, by forced alignment, in seconds."""
    samples = np.concatenate([packet.samples for packet in reply.packets])
    loud = np.flatnonzero(np.abs(samples) >= 0.01)
    heard = samples[max(loud[0] - round(0.03 * reply.rate), 0) :]
    at_16k = soxr.resample(heard, reply.rate, SAMPLE_RATE).astype(np.float32)
    return [(word.start_s, word.end_s) for word in material.recognizer.align(at_16k, reply.text, language=code).words]


def words_heard(words: Sequence[tuple[float, float]], heard_s: float) -> int:
    """How many words were heard at least half."""
    return sum((begin + end) / 2 <= heard_s for begin, end in words)


def over_our_voice(material: Material, stage: Stage, count: int, *, noise: bool) -> dict[str, Any]:
    """How often something that is no interruption ends a reply, and for how long our voice waits."""
    false, held, waits = 0, 0, list[float]()
    for number in track(range(count), description="noises" if noise else "listening sounds", transient=True):
        code = LANGUAGES[number % len(LANGUAGES)]
        sound = material.noise(number) if noise else material.listening_sound(code, number // len(LANGUAGES))
        before = silence(float(material.rng.uniform(0.5, 3.0)))
        audio = np.concatenate([before, sound])
        scene = stage.play(material.clip(code)[1], material.replies[code], lambda _, audio=audio: audio, code, 14.0)
        false += scene.truncated() is not None
        held += bool(scene.times(Held))
        waits += [scene.silent_s()] if scene.times(Held) else []
    return {
        "false_stops": round(false / count, 3),
        "held": round(held / count, 3),
        "waits_p50_ms": milliseconds(waits, 0.5),
        "waits_p95_ms": milliseconds(waits, 0.95),
    }


def hesitations(material: Material, stages: dict[str, Stage], count: int) -> dict[str, Any]:
    """How often turns are taken in a pause, or late behind their end."""
    early, late = dict.fromkeys(stages, 0), dict.fromkeys(stages, 0)
    waits: dict[str, list[float]] = {name: [] for name in stages}
    for number in track(range(count), description="hesitations", transient=True):
        code = LANGUAGES[number % len(LANGUAGES)]
        while (made := material.hesitation(code)) is None:
            pass
        samples, pause_at_s, pause_s = made
        end_s = len(samples) / SAMPLE_RATE
        heard = next(iter(stages.values())).heard(samples, code, end_s + 3.0)  # once: it does not depend on judges
        for name, stage in stages.items():
            taken = stage.replay(heard).times(TurnTaken)
            early[name] += any(pause_at_s <= at < pause_at_s + pause_s + 0.2 for at in taken)
            after = [at - end_s for at in taken if at >= end_s]
            late[name] += not after or after[0] > LATE_S
            waits[name] += after[:1]
    return {
        name: {
            "too_early": round(early[name] / count, 3),
            "too_late": round(late[name] / count, 3),
            "waits_p50_ms": milliseconds(waits[name], 0.5),
            "waits_p95_ms": milliseconds(waits[name], 0.95),
        }
        for name in stages
    }


def milliseconds(seconds: Sequence[float], share: float) -> int | None:
    """A percentile."""
    ordered = sorted(seconds)
    return round(1000 * ordered[round(share * (len(ordered) - 1))]) if ordered else None


if __name__ == "__main__":
    typer.run(scenes)
