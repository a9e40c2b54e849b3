"""Under load CTC writes finals, which say so: in time, never without load, never where it is switched off."""

import asyncio
import time
from typing import Any

import httpx
import numpy as np
import pytest

from serve.client import StreamClient
from serve.engine.fallback import Fallback
from serve.engine.readers import Readers
from speech.audio import SAMPLE_RATE
from speech.decode.endpoint import Reason
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.stream.readings import PartReading
from tests.ctc_half import ctc_half
from tests.serve.conftest import Running, running
from tests.writing_hybrid import save_writing_hybrid, writing


def part(start: int, seconds: float, *, silent: bool = False) -> Part:
    count = round(seconds * 16_000)
    spoken = start if silent else start + count
    return Part(start, np.zeros(count, np.float32), 0, count, spoken, True, silent, start + count, Reason.silence)


def test_it_takes_a_queue_and_a_measured_speed():
    rule = Fallback(1.0, readers=1)
    assert not rule.quick([5.0, 5.0])  # nothing is known yet
    rule.measure(10.0, 3.0)
    assert rule.real_time_factor == pytest.approx(0.3)
    assert not rule.quick([100.0])  # it waits for nobody
    assert rule.quick([2.0, 2.0])
    assert not rule.quick([2.0, 1.0])
    assert not Fallback(1.0, readers=2).quick([2.0, 2.0])
    rule.measure(1000.0, 10.0)
    assert not rule.quick([2.0, 2.0])  # it has become quick


def queue_delays(rule: Fallback | None, *, sessions: int, rtf: float) -> list[float]:
    """Of finals of sessions that each complete a part of 3 s every 4 s, by one reader; CTC takes 2 % of real time."""
    arrivals = sorted((4.0 * n + 4.0 * s / sessions) for s in range(sessions) for n in range(50))
    now, waiting, delays = 0.0, list[float](), list[float]()
    while arrivals or waiting:
        if not waiting:
            now = max(now, arrivals[0])
        while arrivals and arrivals[0] <= now:
            waiting.append(arrivals.pop(0))
        quick = rule is not None and rule.quick([3.0] * len(waiting))
        now += 3.0 * (0.02 if quick else rtf)
        if rule is not None and not quick:
            rule.measure(3.0, 3.0 * rtf)
        delays.append(now - waiting.pop(0))
    return delays


def test_delays_stay_bounded_where_they_would_grow_without_end():
    never, bounded = (queue_delays(rule, sessions=8, rtf=0.4) for rule in (None, Fallback(1.0, 1)))
    assert np.percentile(never, 95) > 60
    assert np.percentile(bounded, 95) < 1.0 + 2 * 3.0 * 0.4
    some = Fallback(1.0, 1)
    assert queue_delays(some, sessions=2, rtf=0.4) == queue_delays(None, sessions=2, rtf=0.4)


def test_the_oldest_are_left_to_ctc_and_translations_never():
    asked: list[tuple[int, bool]] = []

    def read(parts: Any, requests: Any) -> list[PartResult]:
        asked.extend((one.start, request.quick) for one, request in zip(parts, requests, strict=True))
        return [PartResult([], None, 0, 0.0) for _ in parts]

    rule = Fallback(1.0, 1)
    rule.measure(10.0, 5.0)
    some = Readers(read, 0, 0.0, lambda: None, rule)
    wanted = [
        PartReading(owner=n, part=part(n, 1.5), requests=[Request(), Request(to="eng")] if n == 0 else [Request()])
        for n in range(3)
    ]
    silent = PartReading(owner=8, part=part(8, 30.0, silent=True), requests=[Request()])
    ahead = PartReading(owner=9, part=part(9, 30.0), requests=[Request()], complete=False)
    some.want([*wanted, silent, ahead])
    assert asked == [(0, True), (0, False), (1, True), (2, False), (8, False), (9, False)]
    found = some.collect()
    assert [reading.quick for reading in found] == [True, True, False, False, False]
    assert found[0].key == wanted[0].key == (0, wanted[0].part.place, tuple(wanted[0].requests))


def test_what_ctc_cannot_write_waits_for_the_decoder():
    asked: list[tuple[tuple[str, ...], bool]] = []

    def read(parts: Any, requests: Any) -> list[PartResult]:
        asked.extend((request.languages, request.quick) for request in requests)
        return [PartResult([], None, 0, 0.0) for _ in parts]

    rule = Fallback(1.0, 1)
    rule.measure(10.0, 5.0)
    some = Readers(read, 0, 0.0, lambda: None, rule, lambda request: "jpn" not in request.languages)
    named = [("jpn",), ("eng",), ("eng", "jpn"), ("eng",)]
    some.want([PartReading(owner=n, part=part(n, 5.0), requests=[Request(codes)]) for n, codes in enumerate(named)])
    assert asked == [(named[0], False), (named[1], True), (named[2], False), (named[3], False)]


async def live(server: Running, pcm: bytes, sessions: int) -> tuple[list[str], list[float]]:
    """At the speed of speech: who wrote the finals, and their seconds behind the audio that they end with."""
    written: list[str] = []
    late: list[float] = []

    async def one(number: int) -> None:
        await asyncio.sleep(0.05 * number)
        async with StreamClient(f"{server.ws}/v1/stream", languages=["eng"]) as client, asyncio.TaskGroup() as group:
            began = time.monotonic()

            async def send() -> None:
                for start in range(0, len(pcm), 3200):
                    await client.send(pcm[start : start + 3200])
                    await asyncio.sleep(max(began + start / 32_000 - time.monotonic(), 0))
                await client.stop()

            group.create_task(send())
            async for event in client:
                assert "written_by" not in event or event["is_final"]
                if event["type"] == "transcript" and event["is_final"]:
                    written.append(event["written_by"])
                    late.append(time.monotonic() - began - event["audio_ms"] / 1000)
                    assert event["text"].endswith(".") == (event["written_by"] == "decoder")

    async with asyncio.TaskGroup() as group:
        for number in range(sessions):
            group.create_task(one(number))
    return written, late


def metric(server: Running, name: str) -> float:
    lines = httpx.get(f"{server.http}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_finals_say_who_wrote_them_and_come_in_time(tmp_path, pcm):
    model, said = str(save_writing_hybrid(tmp_path / "m")), pcm[: 2 * 2 * SAMPLE_RATE]  # 2 s, which end all at once
    with writing(1.0), running(model=model, readers=1, fallback_s=0.5) as server:
        alone, _ = asyncio.run(live(server, said, 1))
        assert set(alone) == {"decoder"}
        assert metric(server, "speech_fallbacks_total") == 0
        written, late = asyncio.run(live(server, said, 6))
        assert set(written) == {"decoder", "ctc"}
        assert metric(server, "speech_fallbacks_total") >= written.count("ctc")
        assert metric(server, 'speech_finals_total{by="ctc"}') == written.count("ctc")
        assert metric(server, 'speech_finals_total{by="decoder"}') == written.count("decoder") + len(alone)
    with writing(1.0), running(model=model, readers=1, fallback_s=0.5, fallback=False) as server:
        never, later = asyncio.run(live(server, said, 6))
        assert set(never) == {"decoder"}
        assert metric(server, "speech_fallbacks_total") == 0
    assert np.percentile(late, 95) < 0.6 * np.percentile(later, 95)


def test_a_model_without_a_label_decoder_has_nothing_to_fall_back_from(pcm):
    with running(model=ctc_half(), fallback_s=0.0) as server:
        written, _ = asyncio.run(live_texts(server, pcm))
        assert set(written) == {"ctc"}
        assert metric(server, "speech_fallbacks_total") == 0


async def live_texts(server: Running, pcm: bytes) -> tuple[list[str], list[dict[str, Any]]]:
    async with StreamClient(f"{server.ws}/v1/stream") as client, asyncio.TaskGroup() as group:
        group.create_task(client.send_all([pcm]))
        events = [event async for event in client]
    return [e["written_by"] for e in events if e["type"] == "transcript" and e["is_final"]], events
