"""Opens the text translator that a user names."""

from __future__ import annotations

import os
from collections.abc import Mapping

from speech.errors import ConfigError
from speech.models.hub import locate
from speech.translate.text.chat_endpoint import ChatTranslator
from speech.translate.text.ctranslate2_model import CTranslate2Translator
from speech.translate.text.directions import NamedTranslator
from speech.translate.text.translator import TextTranslator

KEY = "SPEECH_TRANSLATOR_KEY"
"""Environment variable with the API key of an endpoint."""


def open_translator(text: str, model: str | None = None, environment: Mapping[str, str] = os.environ) -> TextTranslator:
    """Open a text translator.

    Args:
        text: a directory or a hub id of a CTranslate2 model, or the base URL of a chat endpoint; `=spa:fra` behind it
            names the languages, which endpoints and OPUS-MT models do not name themselves.
        model: name of the model at an endpoint.
        environment: has the key of an endpoint, `SPEECH_TRANSLATOR_KEY`, if it requires one.

    Raises:
        ModelError: if there is no such model, or a file is missing or damaged.
        ConfigError: if languages or the endpoint's model are missing, the model does not know a language, the address
            is none, or CTranslate2 is not installed.
    """
    named = NamedTranslator.parse(text)
    if not named.is_endpoint:
        if model:
            raise ConfigError(f"the translator's model {model!r} without an endpoint", fix="Give the endpoint's URL.")
        return CTranslate2Translator(locate(named.name), named.directions)
    if named.directions is None:
        raise ConfigError("the translator's endpoint does not name its languages", fix="Give them: URL=eng,spa:fra.")
    if not model:
        raise ConfigError("the translator's endpoint needs the name of a model", fix="Add --translator-model NAME.")
    return ChatTranslator(named.name, model, named.directions, key=environment.get(KEY) or None)
