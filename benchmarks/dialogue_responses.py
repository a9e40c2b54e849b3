"""How soon our voice answers, over a websocket, beside a plain chain of the same parts.

    python benchmarks/dialogue_responses.py ROOT --output benchmarks/results/dialogue.json

One or four people at once say English clips of ROOT/test.jsonl, each once the answer to the one before has been heard;
the answer repeats what was said (`echo`). The time runs from the end of a clip to the first sample of our voice that
arrives and can be heard, of the reply to a turn that was taken behind that end; it is taken with pauses decided by
voice activity alone, and by the text, too. Many clips go on with noise behind their last word, as forced alignment has
it, so they are cut there. Turns that are taken before the end are counted. The peer is a plain chain in this process,
without overlap: the pause is waited for, then the whole turn is recognised, then the whole answer is said.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clips import save
from conversing import Microphone
from dialogue import milliseconds
from dialogue_scenes import silence, trimmed
from live import server
from rich.console import Console
from timing import machine

from serve.client import StreamClient
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.dialogue.stages import STAGES
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions

AUDIBLE = 0.01
"""Smallest sample of our voice that counts as its first."""
BEHIND_S = 0.1
"""What is kept of a clip behind its last word."""
LATE_ANSWER_MS = 1200
"""Answers from then on are told one by one."""
PATIENCE_S = 20.0
ENDS = ("reply_done", "reply_failed", "reply_truncated")


def main(
    root: Path,
    turns: Annotated[int, typer.Option(help="Per person.", min=2)] = 30,
    streams: Annotated[str, typer.Option(help="People at once, with commas between.")] = "1,4",
    seed: int = 21,
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Measure from the last word of a clip to the first sample of our voice."""
    rng = np.random.default_rng(seed)
    found = [clip for clip in read_manifest(root / "test.jsonl", root) if 1.0 <= clip.duration_s <= 4.0]
    found = [clip for clip in found if clip.language == "eng"]
    recognizer = Recognizer.from_pretrained()
    chosen = [worded(recognizer, found[int(number)]) for number in rng.permutation(len(found))[:turns]]
    record: dict[str, Any] = {"turns": turns, "seed": seed, **machine(), "rows": []}
    with server(320, voice_model="embedded-voice", answers="echo") as (url, _):
        for people in map(int, streams.split(",")):
            for name, options in (("pauses alone", {"turn_model": False}), ("text, too", {})):
                said = asyncio.run(all_people(url, chosen, people, options))
                record["rows"].append({"people": people, "turns end by": name, **summary(said)})
    record["chain"] = chain(recognizer, [clip for _, clip in chosen])
    Console().print_json(json.dumps(record))
    save(output, record)


def worded(recognizer: Recognizer, clip: Utterance) -> tuple[str, np.ndarray]:
    """The name of a clip, and its samples up to a moment behind its last word: many go on with noise."""
    samples = load_audio(clip.audio)
    words = recognizer.align(samples, clip.text, language=clip.language).words
    end = len(samples) if not words else round((words[-1].end_s + BEHIND_S) * SAMPLE_RATE)
    return clip.id, trimmed(samples[:end])


@dataclass(slots=True)
class Said:
    """A clip that was said, and what came of it; times by `time.monotonic`."""

    clip: str
    began_s: float
    ended_s: float = math.inf
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def take(self, event: dict[str, Any], now: float) -> None:
        """Take a message."""
        self.events.append((now, event))

    @property
    def early(self) -> bool:
        """Whether a turn was taken before the clip had ended."""
        return any(event["type"] == "turn" and now < self.ended_s for now, event in self.events)

    @property
    def over(self) -> bool:
        """Whether a reply to its end has ended."""
        return any(event["type"] in ENDS and now > self.ended_s for now, event in self.events)

    def stages(self) -> dict[str, float] | None:
        """Milliseconds to each stage of the first reply behind its end, and from its end to what is heard; None: there
        is none."""
        found: dict[str, float] | None = None
        replies = {event["reply"] for now, event in self.events if event["type"] == "turn" and now > self.ended_s}
        for now, event in self.events:
            if event["type"] == "reply_started" and event["reply"] in replies and found is None:
                found = dict(event["stages"])
            elif event["type"] == "reply_audio" and found is not None:
                samples = np.frombuffer(event["pcm"], "<i2")
                if np.abs(samples).max(initial=0) >= AUDIBLE * 32768:
                    return found | {"heard": 1000 * (now - self.ended_s)}
        return None

    def story(self) -> list[str]:
        """What happened, in seconds from the end of the clip."""
        return [
            f"{now - self.ended_s:+.2f} {event['type']} {event.get('text', '')}".strip()
            for now, event in self.events
            if event["type"] not in ("ack", "reply_audio") and event.get("is_final", True)
        ]


async def all_people(
    url: str, clips: Sequence[tuple[str, np.ndarray]], people: int, dialogue: dict[str, Any]
) -> list[Said]:
    """Some people talk at once, each to a session of its own; begins are spread over three seconds."""
    found = await asyncio.gather(*(person(url, clips, 3.0 * one / people, dialogue) for one in range(people)))
    return [said for own in found for said in own]


async def person(
    url: str, clips: Sequence[tuple[str, np.ndarray]], wait_s: float, dialogue: dict[str, Any]
) -> list[Said]:
    """Say clips, each once the answer to the one before has been heard."""
    await asyncio.sleep(wait_s)
    found = list[Said]()
    async with StreamClient(url, languages=["eng"], dialogue=dialogue) as client, asyncio.TaskGroup() as group:
        microphone = Microphone(client)
        group.create_task(microphone.send())

        async def talk() -> None:
            for name, clip in clips:
                await asyncio.sleep(0.5)
                said = Said(name, time.monotonic())
                found.append(said)
                said.ended_s = await microphone.say(clip)
                while not said.over and time.monotonic() < said.ended_s + PATIENCE_S:
                    await asyncio.sleep(0.02)
            microphone.close()

        group.create_task(talk())
        async for event in client:
            if found:
                found[-1].take(event, time.monotonic())
    return found


def summary(said: Sequence[Said]) -> dict[str, Any]:
    """Percentiles of the stages, and of what is heard, in milliseconds, over the clips whose answer came behind their
    end; and the stories of those whose answer came late, or not."""
    answers = [(one, stages) for one in said if (stages := one.stages()) is not None]
    turns = [stages for _, stages in answers]
    row: dict[str, Any] = {"said": len(said), "answered": len(turns), "early": sum(one.early for one in said)}
    for name in (*STAGES, "heard"):
        times = [stages[name] / 1000 for stages in turns if name in stages]
        row[name] = [milliseconds(times, 0.5), milliseconds(times, 0.95)]
    beyond = [(stages["sent"] - stages["endpoint"]) / 1000 for stages in turns]
    row["sent_after_endpoint"] = [milliseconds(beyond, 0.5), milliseconds(beyond, 0.95)]
    late = {id(one) for one, stages in answers if stages["heard"] < LATE_ANSWER_MS}
    row["late"] = [{"clip": one.clip, "story": one.story()} for one in said if id(one) not in late]
    return row


def chain(recognizer: Recognizer, clips: Sequence[np.ndarray]) -> dict[str, Any]:
    """The same parts one after the other: a pause of .5 s, the turn is recognised, the whole answer is said."""
    speaker = Speaker.from_pretrained()
    options, spent = SpeakingOptions(language="eng"), list[float]()
    speaker.say("This is the first text.", options)
    for clip in clips:
        began = time.perf_counter()
        text = recognizer.transcribe(np.concatenate([clip, silence(0.5)]), language="eng").text
        speaker.say(text or "nothing", options)
        spent.append(0.5 + time.perf_counter() - began)
    return {"heard": [milliseconds(spent, 0.5), milliseconds(spent, 0.95)]}


if __name__ == "__main__":
    typer.run(main)
