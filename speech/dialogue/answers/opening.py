"""Opens the answerer that a user names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from speech.dialogue.answers.answerer import Answerer
from speech.dialogue.answers.chat import KEY, AnswerOptions, ChatAnswerer
from speech.dialogue.answers.echo import EchoAnswerer
from speech.dialogue.answers.script import ScriptAnswerer
from speech.errors import ConfigError

_CHOICES = "Give echo, script:FILE, or the address of a chat endpoint: http://127.0.0.1:11434/v1=MODEL."


def open_answerer(
    choice: str, options: AnswerOptions | None = None, environment: Mapping[str, str] = os.environ
) -> Answerer:
    """Open an answerer.

    Args:
        choice: `echo`: it says what the user said; `script:FILE`: the lines of a file (see `ScriptAnswerer`); or the
            base URL of a chat endpoint, with `=MODEL` behind it if the endpoint has several models.
        options: what an endpoint is told; None: nothing.
        environment: has the key of an endpoint, `SPEECH_ANSWER_KEY`, if it requires one.

    Raises:
        ConfigError: if the choice is none of these, the address is none, or options are given without an endpoint.
        FileError: if the file cannot be read, or a line is no text.
        DataError: if the file has no answer, or too long a line.
    """
    kind, _, file = choice.partition(":")
    if kind.lower() in ("http", "https"):
        url, named, model = choice.partition("=")
        if named and not model.strip():
            raise ConfigError("the answerer's endpoint with an empty name of a model", fix="Give URL=MODEL, or URL.")
        return ChatAnswerer(url, model.strip() or None, environment.get(KEY) or None, options)
    if choice != "echo" and (kind != "script" or not file):
        raise ConfigError(f"an answerer {kind[:80]!r} that is none", fix=_CHOICES)
    if options not in (None, AnswerOptions()):
        raise ConfigError(f"an answerer {kind!r} with options of an endpoint", fix="Leave them out, or give a URL.")
    return EchoAnswerer() if choice == "echo" else ScriptAnswerer.read(Path(file))
