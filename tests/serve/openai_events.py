"""What is asked of the events of OpenAI's realtime sessions."""

from collections.abc import Sequence
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

TRANSCRIPTION = "conversation.item.input_audio_transcription"
_official: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def check_official(event: dict[str, Any]) -> None:
    """It is an event as the official client's types want it, and of the type that it names."""
    found = _official.validate_python(event, strict=True)
    assert found.type == event["type"]
    assert set(event) <= set(type(found).model_fields), event


def of(events: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix(f"{TRANSCRIPTION}.") for event in events]


def joined(events: Sequence[dict[str, Any]]) -> str:
    return " ".join(e["transcript"] for e in of(events, f"{TRANSCRIPTION}.completed") if e["transcript"])


def check_items(events: Sequence[dict[str, Any]]) -> None:
    """Items are announced before their words, whose deltas joined are the transcript, and name the one before."""
    announced = [e["item_id"] for e in of(events, "input_audio_buffer.committed")]
    previous = [e["previous_item_id"] for e in of(events, "input_audio_buffer.committed")]
    completed = of(events, f"{TRANSCRIPTION}.completed")
    assert [e["item_id"] for e in completed] == announced
    assert previous == [None, *announced[:-1]][: len(announced)]
    for item in completed:
        own = [e for e in events if item["item_id"] in (e.get("item_id"), e.get("item", {}).get("id"))]
        own = [e for e in own if not e["type"].startswith("input_audio_buffer.speech")]
        assert "".join(e["delta"] for e in own if "delta" in e) == item["transcript"]
        middle = ["delta"] * len([e for e in own if "delta" in e])
        assert kinds(own) == [
            "input_audio_buffer.committed", "conversation.item.added", *middle, "completed", "conversation.item.done",
        ]  # fmt: skip
