"""The chunk specification of an encoder's attention, shared by training, offline and live use."""

from __future__ import annotations

from dataclasses import dataclass

from speech.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSpec:
    """Context of each frame, in encoder frames at the encoder's first rate.

    A frame of chunk `c` attends to its whole chunk, `left_context` frames before the chunk and `right_context`
    frames after it. `left_context` is finite, so that the streaming state has a fixed size.

    Raises:
        ConfigError: if the size is not positive or a context is negative.
    """

    size: int
    """Frames of a chunk, which are processed together."""
    left_context: int
    """Frames before the chunk that all its frames attend to."""
    right_context: int = 0
    """Frames after the chunk (lookahead); they add latency."""

    def __post_init__(self) -> None:
        if self.size < 1 or self.left_context < 0 or self.right_context < 0:
            raise ConfigError(
                f"chunk size {self.size}, left {self.left_context}, right {self.right_context} frames",
                fix="The size must be at least 1 frame, contexts at least 0.",
            )

    def seconds(self, frame_s: float) -> tuple[float, float, float]:
        """Return size, left and right context in seconds, for frames of `frame_s` seconds."""
        return self.size * frame_s, self.left_context * frame_s, self.right_context * frame_s
