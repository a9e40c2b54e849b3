"""`speech transcribe --to fra --translator ...`, with a model of CTranslate2 and with a chat endpoint."""

import json
from pathlib import Path

import pytest
import soundfile

from speech.recognize.text_translators import KEY
from tests.chat_server import chatting
from tests.cli.calling import call
from tests.tiny_translators import save_multilingual
