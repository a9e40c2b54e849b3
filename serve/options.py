"""What a client asks of a session, checked against what the server has: options of a stream, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from msgspec import UNSET

from serve import protocol as wire
from speech.decode.endpoint import EndpointConfig
from speech.decode.phrases import Phrase
from speech.errors import SpeechError
from speech.stream.second_pass import Request
from speech.stream.session import StreamOptions
from speech.text.languages import resolve

_MOST_PHRASES, _MOST_LETTERS = 1000, 20_000


class Refused(Exception):
    """A session or message that cannot be had: error code, text, and how the connection is closed (None: it is not)."""

    def __init__(self, code: str, message: str, close: wire.CloseCode | None, param: str | None = None) -> None:
        super().__init__(code, message)
        self.code, self.message, self.close, self.param = code, message, close, param


def changed(
    base: StreamOptions,
    message: wire.Options,
    languages: Sequence[str],
    targets: Sequence[str],
    check: Callable[[Request], None],
) -> StreamOptions:
    """`base` with what a message names.

    Args:
        base: what holds so far.
        message: `start` or `update`.
        languages, targets: codes that the model knows.
        check: raises SpeechError if the model cannot do what is asked.

    Raises:
        Refused: it names what the model does not know, or cannot write.
    """
    options = base
    if message.languages is not UNSET:
        options = replace(options, languages=_codes(message.languages, languages, "languages"))
    if message.targets is not UNSET:
        options = replace(options, targets=_codes(message.targets, targets, "targets"))
    if message.phrases is not UNSET:
        options = replace(options, phrases=_phrases(message.phrases, check))
    if message.interim is not UNSET:
        options = replace(options, interim=message.interim != "off")
    if message.endpointing is not UNSET:
        rules = message.endpointing
        silence = rules.silence_ms / 1000 if rules.mode == "auto" else None
        # From the usual rules, not from those that held: what was said before must not show through.
        usual = EndpointConfig(blank_s=None if rules.blank_ms is None else rules.blank_ms / 1000)
        options = replace(options, endpoint=usual.limited(silence, rules.max_utterance_ms / 1000))
    if options.endpoint.blank_s is not None and not options.interim:
        text = "blank_ms goes by partial results; interim is off"
        raise Refused("bad_config", text, wire.CloseCode.bad_config, "endpointing")
    return options


def _phrases(texts: Sequence[str], check: Callable[[Request], None]) -> tuple[Phrase, ...]:
    letters = sum(map(len, texts))
    if len(texts) > _MOST_PHRASES or letters > _MOST_LETTERS:
        text = f"{len(texts)} phrases of {letters} letters in all; at most {_MOST_PHRASES} and {_MOST_LETTERS}"
        raise Refused("bad_config", text, wire.CloseCode.bad_config, "phrases")
    try:
        phrases = tuple(dict.fromkeys(Phrase.parse(text) for text in texts))
        check(Request(phrases=phrases))
    except SpeechError as error:
        raise Refused("bad_config", str(error), wire.CloseCode.bad_config, "phrases") from error
    return phrases


def _codes(names: Sequence[str], known: Sequence[str], param: str) -> tuple[str, ...]:
    codes = []
    for name in names:
        try:
            code = resolve(name).code
        except SpeechError as error:
            raise Refused("unknown_language", str(error), wire.CloseCode.bad_config, param) from error
        if code not in known:
            text = f"the model does not know {code!r} here; it knows {', '.join(known)}"
            raise Refused("unknown_language", text, wire.CloseCode.bad_config, param)
        codes.append(code)
    return tuple(dict.fromkeys(codes))
