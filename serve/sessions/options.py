"""Checks the options of a client against the server, and converts them into stream options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from msgspec import UNSET

from serve.config import ServeConfig
from serve.protocols import wire
from serve.protocols.dialogue_messages import Conversing
from speech.choices import Live, PolicyName
from speech.decode.bias.phrases import Phrase, canonical
from speech.decode.endpoint import EndpointConfig
from speech.dialogue.turns import turn_parts
from speech.errors import ConfigError, LanguageError, SpeechError
from speech.events import milliseconds
from speech.metrics.meaning.vectors import Vectors
from speech.recognize.request import Request
from speech.stream.options import StreamOptions, TranslationOptions
from speech.stream.policies import translation_options
from speech.stream.translation import check_policy
from speech.text.languages import resolve

_MOST_PHRASES, _MOST_LETTERS = 1000, 20_000


@dataclass(slots=True)
class Facts:
    """Facts about a server that all its sessions share."""

    config: ServeConfig
    model: wire.ModelInfo
    languages: tuple[str, ...]
    """Languages that a client may name; adapters add and remove some at run time."""
    targets: tuple[str, ...]
    drafts_into: tuple[str, ...]
    """Targets that may be written simultaneously."""
    check: Callable[[Request], object]
    """Raises SpeechError if the model cannot serve a request; returns compiled phrases to keep."""
    server: str
    live: Live = Live.chunks
    """Source of partial results."""
    trained_policy: bool = False
    """Whether the model has a trained translation policy."""
    vectors: Vectors | None = None
    """Sentence vectors for SAER; None: no SAER."""

    @property
    def usual(self) -> StreamOptions:
        """Options of a live session that asks for nothing."""
        return StreamOptions(late_draft_s=self.config.fallback_s if self.config.fallback else None)

    @property
    def policies(self) -> list[str]:
        """Names of the translation policies that clients may ask for."""
        if not self.drafts_into:
            return ["complete"]
        return [name for name in PolicyName if name != PolicyName.emma or self.trained_policy]

    @property
    def limits(self) -> wire.ServerLimits:
        """The limits that clients are told."""
        config = self.config
        return wire.ServerLimits(
            max_message_bytes=config.max_message_bytes,
            max_lead_ms=milliseconds(config.max_lead_s),
            idle_timeout_ms=milliseconds(config.idle_s),
            max_session_ms=milliseconds(config.max_session_s),
            max_reference_letters=config.max_reference_letters,
        )


class Refused(Exception):
    """A refused session or message: error code, message, and close code (None: the connection stays open)."""

    def __init__(self, code: str, message: str, close: wire.CloseCode | None, param: str | None = None) -> None:
        super().__init__(code, message)
        self.code, self.message, self.close, self.param = code, message, close, param


@dataclass(frozen=True, slots=True)
class Prepared:
    """Checked options of a session."""

    options: StreamOptions
    kept: object = None
    """Compiled phrases, cached as long as this reference exists."""


def prepare(facts: Facts, base: StreamOptions, message: wire.Options) -> Prepared:
    """Apply the options of `start` or `update` to `base`. If it `takes_a_while`, call it on another thread.

    Raises:
        Refused: a language is unknown, the model cannot write a phrase, or an option is invalid.
    """
    options = _changed(base, message, facts.languages, facts.targets, facts.drafts_into)
    try:
        if options.translation is not None:
            check_policy(options.translation, trained=facts.trained_policy)
    except SpeechError as error:
        raise Refused("bad_config", str(error), wire.CloseCode.bad_config, "translation") from error
    if not options.phrases:
        return Prepared(options)
    try:
        return Prepared(options, facts.check(options.requests()[0]))
    except LanguageError as error:
        raise Refused("unknown_language", str(error), wire.CloseCode.bad_config, "languages") from error
    except SpeechError as error:
        raise Refused("bad_config", str(error), wire.CloseCode.bad_config, "phrases") from error


def takes_a_while(base: StreamOptions, message: wire.Options) -> bool:
    """Whether `prepare` has phrases to compile."""
    return bool(base.phrases if message.phrases is UNSET else message.phrases)


def _changed(
    base: StreamOptions,
    message: wire.Options,
    languages: Sequence[str],
    targets: Sequence[str],
    drafts_into: Sequence[str],
) -> StreamOptions:
    options = base
    if message.languages is not UNSET:
        options = replace(options, languages=_codes(message.languages, languages, "languages"))
    if message.targets is not UNSET:
        options = replace(options, targets=_codes(message.targets, targets, "targets"))
    if message.translation is not UNSET:
        options = replace(options, translation=_translation(message.translation))
    if message.phrases is not UNSET:
        options = replace(options, phrases=_phrases(message.phrases))
    if message.plain is not UNSET:
        options = replace(options, plain=message.plain)
    if message.nbest is not UNSET:
        options = replace(options, nbest=message.nbest)
    if message.interim is not UNSET:
        options = replace(options, interim=message.interim != "off")
    if message.endpointing is not UNSET:
        rules = message.endpointing
        silence = rules.silence_ms / 1000 if rules.mode == "auto" else None
        # Start from the default rules: earlier `endpointing` must not show through.
        usual = EndpointConfig(blank_s=None if rules.blank_ms is None else rules.blank_ms / 1000)
        options = replace(options, endpoint=usual.limited(silence, rules.max_utterance_ms / 1000))
    elif isinstance(message, wire.StartMessage) and message.dialogue is not None:
        options = replace(options, endpoint=_turn_parts(message.dialogue))
    if isinstance(message, wire.StartMessage) and message.dialogue is not None:
        options = replace(options, hears_turns=message.dialogue.automatic)
    if options.translation is not None and options.targets and not set(options.targets) & set(drafts_into):
        text = f"the policy writes into {', '.join(drafts_into) or 'no language'} only, which is not among the targets"
        raise Refused("bad_config", text, wire.CloseCode.bad_config, "translation")
    if options.endpoint.blank_s is not None and not options.interim:
        text = "blank_ms goes by partial results; interim is off"
        raise Refused("bad_config", text, wire.CloseCode.bad_config, "endpointing")
    return options


def _turn_parts(dialogue: Conversing) -> EndpointConfig:
    """Rules of segments in a dialogue; where clients ask for each reply, pauses end none."""
    if dialogue.automatic:
        return turn_parts(dialogue.sure_pause_ms / 1000, dialogue.pause_ms / 1000)
    usual = EndpointConfig()
    return usual.limited(None, usual.max_s)


def _phrases(texts: Sequence[str]) -> tuple[Phrase, ...]:
    letters = sum(map(len, texts))
    if len(texts) > _MOST_PHRASES or letters > _MOST_LETTERS:
        text = f"{len(texts)} phrases of {letters} letters in all; at most {_MOST_PHRASES} and {_MOST_LETTERS}"
        raise Refused("bad_config", text, wire.CloseCode.bad_config, "phrases")
    try:
        return canonical(map(Phrase.parse, texts))
    except SpeechError as error:
        raise Refused("bad_config", str(error), wire.CloseCode.bad_config, "phrases") from error


def _translation(rules: wire.Translating) -> TranslationOptions | None:
    try:
        return translation_options(
            rules.policy, latency_ms=rules.latency_ms, n=rules.n, threshold=rules.threshold, append=rules.append
        )
    except ConfigError as error:
        raise Refused("bad_config", str(error), wire.CloseCode.bad_config, "translation") from error


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
