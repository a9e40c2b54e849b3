"""A dialogue on the terminal: who says what, what was interrupted, and where the time went."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.live import Live
from rich.text import Text

from speech.cli.console import stdout
from speech.dialogue.stages import STAGES


class ConverseView:
    """Prints turns above the one that is under way. A context manager."""

    def __init__(self) -> None:
        self._console = stdout()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._said: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._live.__enter__()
        self._growing("listening ...", "dim")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.__exit__(kind, error, at)

    def show(self, event: dict[str, Any]) -> None:
        """Show an event of the server."""
        match event["type"]:
            case "transcript" if not event["is_final"]:
                self._growing(f"you     {event['text']}", "dim")
            case "turn":
                self._line("you", event["text"])
                self._said[event["reply"]] = ""
            case "turn_reopened":
                self._line("", "(goes on)", "dim")
            case "reply_text":
                self._said[event["reply"]] = self._said.get(event["reply"], "") + event["delta"]
                self._growing(f"speech  {self._said[event['reply']]}", "cyan")
            case "reply_started":
                self._line("", waterfall(event["stages"]), "dim")
            case "reply_done":
                self._ended(event["reply"], event["text"])
                for call in event["calls"]:
                    self._line("", f"calls {call['name']}({call['arguments']})", "yellow")
            case "reply_truncated":
                self._ended(event["reply"], f"{event['text']} -- (interrupted)")
            case "reply_failed":
                self._line("", event["message"], "red")
            case "error" | "warning":
                self._line("", f"{event['code']}: {event['message']}", "red")
            case "end":
                self._line("", f"{event['audio_ms'] / 1000:.1f} s", "dim")

    def _ended(self, reply: int, text: str) -> None:
        self._said.pop(reply, None)
        if text:
            self._line("speech", text, "cyan")
        self._growing("listening ...", "dim")

    def _line(self, who: str, text: str, style: str = "") -> None:
        self._console.print(Text.assemble((f"{who:7} ", "bold"), (text, style)))

    def _growing(self, text: str, style: str) -> None:
        self._live.update(Text(text, style), refresh=True)


def waterfall(stages: dict[str, int]) -> str:
    """Milliseconds from the end of speech to each stage, on one line."""
    return "  ".join(f"{name} {stages[name]} ms" for name in STAGES if name in stages)
