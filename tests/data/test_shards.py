"""`speech.data.shards`: a corpus through Lhotse Shar and back, also when interrupted."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet

import speech.data.shards as module
from speech.data.manifest import Utterance
from speech.data.shards import n_shards, read_shards, write_shards
from speech.errors import ConfigError, DataError


@pytest.fixture
def corpus(tmp_path: Path) -> list[Utterance]:
    """Seven tones; the last has 8 kHz and two channels."""
    utterances = []
    for i in range(7):
        rate, n = (8000, 4000) if i == 6 else (16000, 8000 + 100 * i)
        tone = 0.4 * np.sin(np.arange(n) * (0.1 + 0.02 * i))
        path = tmp_path / f"{i}.wav"
        soundfile.write(path, np.stack([tone, tone], axis=1) if i == 6 else tone, rate, subtype="PCM_16")
        utterances.append(
            Utterance(
                id=f"set/u{i}",
                audio=path,
                duration_s=n / rate,
                language="eng",
                text=f"tone {i}",
                translations={"deu": f"Ton {i}"},
                speaker="s",
            )
        )
    return utterances


def test_flac_shards_give_back_utterances_and_exact_samples(corpus: list[Utterance], tmp_path: Path) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    assert n_shards(tmp_path / "shards") == 3
    read = list(read_shards(tmp_path / "shards"))
    assert [utterance for utterance, _ in read] == corpus
    for utterance, samples in read[:6]:
        assert samples.dtype == np.float32
        np.testing.assert_array_equal(samples, soundfile.read(utterance.audio, dtype="float32")[0])
    assert read[6][1].shape == (8000,)


def test_opus_shards_keep_length_and_sound(corpus: list[Utterance], tmp_path: Path) -> None:
    write_shards(corpus[:2], tmp_path / "shards", audio_format="opus")
    for utterance, samples in read_shards(tmp_path / "shards"):
        original = soundfile.read(utterance.audio, dtype="float32")[0]
        assert samples.shape == original.shape
        assert np.corrcoef(samples, original)[0, 1] > 0.95


def test_shards_can_be_read_one_by_one(corpus: list[Utterance], tmp_path: Path) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    assert [u.id for u, _ in read_shards(tmp_path / "shards", [2, 0])] == [corpus[i].id for i in (6, 0, 1, 2)]
    with pytest.raises(DataError, match="no shard 3"):
        list(read_shards(tmp_path / "shards", [3]))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_lhotse_itself_reads_the_directory(corpus: list[Utterance], tmp_path: Path) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    cuts = list(CutSet.from_shar(in_dir=tmp_path / "shards/shar"))
    assert [cut.supervisions[0].text for cut in cuts] == [u.text for u in corpus]
    expected = soundfile.read(corpus[0].audio, dtype="float32")[0]
    np.testing.assert_array_equal(cuts[0].load_audio()[0], expected)
    gc.collect()  # Lhotse's reader leaves its files to the garbage collector


def test_an_interrupted_write_is_refused_then_resumed_where_it_stopped(
    corpus: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = module.load_audio
    read: list[str] = []

    def interrupted(path: Path) -> np.ndarray:
        if path == corpus[4].audio:
            raise KeyboardInterrupt
        return load(path)

    def counted(path: Path) -> np.ndarray:
        read.append(path.stem)
        return load(path)

    monkeypatch.setattr(module, "load_audio", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_shards(corpus, tmp_path / "shards", shard_size=3)
    with pytest.raises(DataError, match=r"never written to its end.*write_shards"):
        list(read_shards(tmp_path / "shards"))
    monkeypatch.setattr(module, "load_audio", counted)
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    assert read == ["3", "4", "5", "6"]
    monkeypatch.undo()
    assert [utterance for utterance, _ in read_shards(tmp_path / "shards")] == corpus
    assert not list((tmp_path / "shards").glob("partial*"))


def test_a_shard_whose_utterances_changed_is_written_again(
    corpus: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    load = module.load_audio
    read: list[str] = []
    monkeypatch.setattr(module, "load_audio", lambda path: (read.append(path.stem), load(path))[1])
    changed = [*corpus[:3], replace(corpus[3], text="other"), *corpus[4:]]
    write_shards(changed, tmp_path / "shards", shard_size=3)
    assert read == ["3", "4", "5"]
    monkeypatch.undo()
    assert [utterance for utterance, _ in read_shards(tmp_path / "shards")] == changed


def test_fewer_shards_than_before_leave_none_of_the_old(corpus: list[Utterance], tmp_path: Path) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    write_shards(corpus[:3], tmp_path / "shards", shard_size=3)
    assert [utterance for utterance, _ in read_shards(tmp_path / "shards")] == corpus[:3]
    names = sorted(path.name for path in (tmp_path / "shards/shar").iterdir())
    assert names == ["cuts.000000.jsonl.gz", "recording.000000.tar"]


def test_a_damaged_shard_is_an_error_that_names_it(corpus: list[Utterance], tmp_path: Path) -> None:
    write_shards(corpus[:2], tmp_path / "shards")
    path = tmp_path / "shards/shar/recording.000000.tar"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"recording\.000000\.tar"):
        list(read_shards(tmp_path / "shards"))


def test_a_size_or_format_that_is_none_is_refused(corpus: list[Utterance], tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        write_shards(corpus, tmp_path, shard_size=0)
    with pytest.raises(ConfigError):
        write_shards(corpus, tmp_path, audio_format="mp3")  # type: ignore[arg-type]
