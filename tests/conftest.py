"""What several tests need: a small real model, saved as a checkpoint, and a clip; and how a run of them goes."""

import logging
import os
from collections.abc import Generator
from importlib.resources import files
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several: before anything reads it, one thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import settings

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest
from speech.models.checkpoint import LabelCheckpoint, save_checkpoint, save_label_checkpoint
from speech.models.owsm_ctc import FrontEnd, OwsmCtc, OwsmCtcConfig
from speech.models.translation_targets import TargetScore
from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.nn.prompt import PromptConfig
from speech.text.tokenizers.sentencepiece import Tokenizer
from tests.groups import Groups, rank
from tests.skips import Skips
from tests.tiny_whisper import literate_whisper, tiny_label_tokenizer

CLIPS = Path(str(files("speech") / "assets" / "clips" / "clips.jsonl"))
CORPUS = Path(__file__).resolve().parent.parent / "corpus"
RARE = CORPUS / "asterisk_core_sounds" / "audio" / "fra" / "ast_fr_digits-day-0.ogg"
"""Somebody says "dimanche", which the embedded model does not write without help."""

settings.register_profile("push", deadline=None, max_examples=25)
settings.register_profile("all", deadline=None, max_examples=200)

TEXTS = ["the cat sat on the mat", "der hund lief über die straße", "el gato duerme", "a dog ran over the street"] * 5


class OrdinaryTensors:
    """Fixtures of several tests are made of ordinary tensors, though the first that asks may be in inference mode."""

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        if fixturedef.scope == "function":  # it may enter modes of its own, which leave in order
            return (yield)
        with torch.inference_mode(False):
            return (yield)


@pytest.fixture(autouse=True)
def package_log() -> None:
    """The package's log is as it was when it was imported, whatever a command of an earlier test, or of a fixture that
    several tests share, has done to it."""
    logging.disable(logging.NOTSET)
    logger = logging.getLogger("speech")
    logger.handlers[:], logger.propagate = [], True
    logger.setLevel(logging.NOTSET)
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("speech")]:
        logging.getLogger(name).disabled = False  # as a library that configures logging may leave them


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS, vocab_size=60, languages=["deu", "eng", "spa"], st_targets=["eng"])


def small_whisper() -> OwsmCtcConfig:
    return OwsmCtcConfig(
        encoder=WhisperEncoderConfig(dim=32, layers=3, heads=4, hidden=64, period=600, reduce_after=2),
        front_end=FrontEnd.whisper,
        inter_layers=[2],
        inter_transcript=1,
        inter_norm=True,
        target_prefix=False,
        language_head=True,
        prompt_dim=8,
    )


def small_published() -> OwsmCtcConfig:
    return OwsmCtcConfig(
        encoder=EBranchformerConfig(bins=80, dim=16, layers=4, heads=4, hidden=32, kernel=5, cross_attention_every=2),
        inter_layers=[1, 3],
        inter_transcript=1,
        prompt_dim=16,
        prompt=PromptConfig(dim=16, layers=2, heads=2, hidden=16),
    )


@pytest.fixture(scope="session")
def model(tokenizer: Tokenizer) -> OwsmCtc:
    torch.manual_seed(0)
    return OwsmCtc(small_whisper(), tokenizer.vocabulary).eval()


@pytest.fixture(scope="session")
def published(tokenizer: Tokenizer) -> OwsmCtc:
    torch.manual_seed(0)
    return OwsmCtc(small_published(), tokenizer.vocabulary).eval()


@pytest.fixture(scope="session")
def checkpoint(model: OwsmCtc, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small"
    targets = {"eng": TargetScore(chrf=40.0, source_chrf=20.0, utterances=30, sources=("deu", "spa"), data="made up")}
    save_checkpoint(path, model, tokenizer, info={"note": "test"}, card="# small\n", targets=targets)
    return path


@pytest.fixture(scope="session")
def whisper_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label model alone, small, of random weights."""
    path = tmp_path_factory.mktemp("models") / "whisper"
    found = LabelCheckpoint(literate_whisper(), tiny_label_tokenizer(), {"note": "test"})
    save_label_checkpoint(path, found, card="# tiny\n")
    return path


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """Two real clips, English and French, with half a second between them, float32 at 16 kHz."""
    clips = [load_audio(clip.audio) for clip in read_manifest(CLIPS, check_files=True)[:2]]
    return np.concatenate([clips[0], np.zeros(8000, np.float32), clips[1]])


@pytest.fixture
def wave(tmp_path: Path, speech: np.ndarray) -> Path:
    """The first second and a half of it."""
    path = tmp_path / "wave.wav"
    soundfile.write(path, speech[:24000], 16000)
    return path


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    """The model that ships."""
    return Recognizer.from_pretrained()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="every example and every fuzzed message, as `make test-all`")
    parser.addoption("--no-skips", action="store_true", help="fail if a test is skipped that tests/skips.py lacks")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("all" if config.getoption("--all") else "push")
    config.pluginmanager.register(OrdinaryTensors())  # for those of the session, a hook of this file is not called
    config.pluginmanager.register(Skips(config.getoption("--no-skips") or os.environ.get("CI") == "true"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)
