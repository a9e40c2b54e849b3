"""Published Whisper files, of random weights; tests of other models have their own."""

import shutil
from pathlib import Path

import pytest

from tests.published_whisper import write_hugging_face


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return write_hugging_face(tmp_path_factory.mktemp("published") / "model")


@pytest.fixture
def copy(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))
