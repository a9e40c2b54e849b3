"""Spoken dialogue: interruptions, listening sounds, noises, hesitations; and how soon our voice answers.

    python benchmarks/dialogue.py scenes ROOT --count 200 --output benchmarks/results/dialogue_scenes.json
    python benchmarks/dialogue.py responses ROOT --output benchmarks/results/dialogue.json

`scenes` plays scenes on the clock of their audio (`dialogue_scenes.py`). In each a person (clips of ROOT/test.jsonl)
asks, our voice answers at length, and then, at a random time of the answer: another clip of three or more words
interrupts it; or one of a single word does; or the voices of the package say a listening sound ("mhm", "okay"); or
there is a noise (`sounds.py`). Hesitations are clips with a pause of .5 to 1.2 s between two words; the peers are the
text alone, and voice activity alone, with a pause of .5 s. What is decided by a threshold was chosen with `--part dev`,
whose listening sounds are other ones. A history is right if
the last word that it keeps of an interrupted reply is the last one of which the listener heard at least half, by forced
alignment of the reply's samples.

`responses` talks to a server over its websocket, with an instant answer (`echo`), one or four people at once. The time
runs from a clip's last sound to the first sample of our voice that arrives; it is taken with pauses decided by voice
activity alone, and by the text, too. The peer is a plain chain of the same parts in this process, without overlap: the
pause is waited for, then the whole turn is recognised, then the whole answer is said.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soxr
import typer
from clips import save
from dialogue_scenes import SpokenReply, Stage, silence, spoken_reply, trimmed
from live import server
from rich.console import Console
from rich.progress import track
from sounds import KINDS, levelled
from timing import machine

from serve.client import StreamClient
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import Utterance, read_manifest
from speech.dialogue.actions import Held, TurnTaken
from speech.dialogue.backchannels import only_listens
from speech.dialogue.end_of_turn import EndOfTurn
from speech.dialogue.settings import DialogueSettings
from speech.dialogue.stages import STAGES
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions

app = typer.Typer(add_completion=False, help="Spoken dialogue.")
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
AUDIBLE = 0.01
"""Smallest sample of our voice that counts as its first."""


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


@app.command()
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


@app.command()
def responses(
    root: Path,
    turns: Annotated[int, typer.Option(help="Per person.", min=2)] = 30,
    streams: Annotated[str, typer.Option(help="People at once, with commas between.")] = "1,4",
    seed: int = 21,
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Measure from the last sound of a clip to the first sample of our voice."""
    rng = np.random.default_rng(seed)
    found = [clip for clip in read_manifest(root / "test.jsonl", root) if 1.0 <= clip.duration_s <= 4.0]
    clips = [trimmed(load_audio(clip.audio)) for clip in found if clip.language == "eng"]
    chosen = [clips[int(number)] for number in rng.permutation(len(clips))[:turns]]
    record: dict[str, Any] = {"turns": turns, "seed": seed, **machine(), "rows": []}
    with server(320, voice_model="embedded-voice", answers="echo") as (url, _):
        for people in map(int, streams.split(",")):
            for name, options in (("pauses alone", {"turn_model": False}), ("text, too", {})):
                stages = asyncio.run(all_people(url, chosen, people, options))
                record["rows"].append({"people": people, "turns end by": name, **summary(stages)})
    record["chain"] = chain(chosen)
    Console().print_json(json.dumps(record))
    save(output, record)


async def all_people(
    url: str, clips: Sequence[np.ndarray], people: int, dialogue: dict[str, Any]
) -> list[dict[str, float]]:
    """Some people talk at once, each to a session of its own; begins are spread over three seconds."""
    found = await asyncio.gather(*(person(url, clips, 3.0 * one / people, dialogue) for one in range(people)))
    return [stages for own in found for stages in own]


async def person(
    url: str, clips: Sequence[np.ndarray], wait_s: float, dialogue: dict[str, Any]
) -> list[dict[str, float]]:
    """Say clips, each once the answer to the one before has been heard; the milliseconds of each answer."""
    await asyncio.sleep(wait_s)
    found, heard = list[dict[str, float]](), asyncio.Event()
    async with StreamClient(url, languages=["eng"], dialogue=dialogue) as client, asyncio.TaskGroup() as group:
        ends: list[float] = []
        group.create_task(say_clips(client, clips, ends, heard))
        stages: dict[str, float] = {}
        async for event in client:
            if event["type"] == "reply_started":
                stages = dict(event["stages"])
            elif event["type"] == "reply_audio" and stages and "heard" not in stages:
                samples = np.frombuffer(event["pcm"], "<i2")
                if np.abs(samples).max(initial=0) >= AUDIBLE * 32768:
                    stages["heard"] = 1000 * (time.monotonic() - ends[-1])
                    found.append(stages)
            elif event["type"] in ("reply_done", "reply_failed", "reply_truncated"):
                stages = {}
                heard.set()
    return found


async def say_clips(client: StreamClient, clips: Sequence[np.ndarray], ends: list[float], heard: asyncio.Event) -> None:
    """Send clips in real time, and silence until each is answered; `ends` gets when each ended."""
    began, sent = time.monotonic(), 0

    async def send(samples: np.ndarray) -> None:
        nonlocal sent
        for start in range(0, len(samples), 320):
            block = samples[start : start + 320]
            await client.send(to_pcm16(block))
            sent += len(block)
            await asyncio.sleep(max(began + sent / SAMPLE_RATE - time.monotonic(), 0))

    await send(silence(0.5))
    for clip in clips:
        await send(clip)
        ends.append(time.monotonic())
        heard.clear()
        patience = time.monotonic() + 20.0
        while not heard.is_set() and time.monotonic() < patience:
            await send(silence(0.02))
        await send(silence(0.3))
    await client.stop()


def summary(turns: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Percentiles of the stages, and of what is heard, in milliseconds."""
    row: dict[str, Any] = {"answered": len(turns)}
    for name in (*STAGES, "heard"):
        times = [stages[name] / 1000 for stages in turns if name in stages]
        row[name] = [milliseconds(times, 0.5), milliseconds(times, 0.95)]
    beyond = [(stages["heard"] - stages["endpoint"]) / 1000 for stages in turns]
    return row | {"heard_after_endpoint": [milliseconds(beyond, 0.5), milliseconds(beyond, 0.95)]}


def chain(clips: Sequence[np.ndarray]) -> dict[str, Any]:
    """The same parts one after the other: a pause of .5 s, the turn is recognised, the whole answer is said."""
    recognizer, speaker = Recognizer.from_pretrained(), Speaker.from_pretrained()
    options, spent = SpeakingOptions(language="eng"), list[float]()
    speaker.say("This is the first text.", options)
    for clip in clips:
        began = time.perf_counter()
        text = recognizer.transcribe(np.concatenate([clip, silence(0.5)]), language="eng").text
        speaker.say(text or "nothing", options)
        spent.append(0.5 + time.perf_counter() - began)
    return {"heard": [milliseconds(spent, 0.5), milliseconds(spent, 0.95)]}


if __name__ == "__main__":
    app()
