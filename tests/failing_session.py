"""Sessions that fail where a test wants them to."""

from typing import Any

from speech.stream.session import StreamingSession

CALLS = [
    "push", "push_flush", "push_finish", "update", "drain", "waiting_part", "expected_part", "waiting_chunk",
    "waiting_partial", "take_reading", "take_part", "take_chunk", "received_s", "processed_s",
]  # fmt: skip


def failing(stream: StreamingSession, name: str, after: int) -> None:
    """Let what a stream is asked or told by a name fail from some call on."""
    kind, calls = type(stream), iter(range(10**9))
    found = getattr(kind, name, None)

    def value(self: StreamingSession, *given: Any) -> Any:
        if next(calls) >= after:
            raise ZeroDivisionError(name)
        if found is None:
            return self.__dict__[name]
        return found.fget(self) if isinstance(found, property) else found(self, *given)

    read = name in ("received_s", "processed_s")
    put = (lambda self, new: self.__dict__.__setitem__(name, new)) if found is None else None
    stream.__class__ = type("Failing", (kind,), {name: property(value, put) if read else value})
