"""`speech.data.shards`: a corpus through Lhotse Shar and back, also when interrupted."""

from __future__ import annotations

import gc
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet

import speech.data.shards as module
from speech.data.manifest import Utterance
from speech.data.reading import AudioReader, Unreadable, read_audio
from speech.data.shards import n_shards, read_shards, shard_utterances, write_shards
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
    with pytest.raises(DataError, match=r"never written to its end.*again"):
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


def test_any_record_is_read_by_itself(corpus: list[Utterance], tmp_path: Path) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    listed = shard_utterances(tmp_path / "shards")
    assert listed == corpus
    assert [(u.record.shard.name, u.record.number) for u in listed if u.record] == [
        (f"recording.00000{n // 3}.tar", n % 3) for n in range(7)
    ]
    for utterance in reversed(listed[:6]):
        expected = soundfile.read(utterance.audio, dtype="float32")[0]
        np.testing.assert_array_equal(read_audio(utterance), expected)
        for cache in (True, False):
            np.testing.assert_array_equal(AudioReader(cache)(utterance), expected)


def test_what_is_cached_of_a_record_is_not_taken_for_another(corpus: list[Utterance], tmp_path: Path) -> None:
    same = [replace(utterance, audio=corpus[0].audio, id=f"{n}") for n, utterance in enumerate(corpus[:2])]
    write_shards([corpus[0], corpus[1]], tmp_path / "shards")
    read = AudioReader(cache=True)
    found = [read(replace(u, audio=same[0].audio)) for u in shard_utterances(tmp_path / "shards")]
    assert [len(samples) for samples in found] == [8000, 8100]


def cut_off(folder: Path) -> None:
    path = folder / "shar/recording.000001.tar"
    path.write_bytes(path.read_bytes()[:5000])


def without_tar(folder: Path) -> None:
    (folder / "shar/recording.000001.tar").unlink()


def without_places(folder: Path) -> None:
    path = folder / "shard.000001.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "records"}))


def with_lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "shar/cuts.000001.jsonl.gz"
        with gzip.open(path, "rt") as file:
            lines = change(list(file))
        with gzip.open(path, "wt") as file:
            file.writelines(lines)

    return damage


def half_of_a_gzip(folder: Path) -> None:
    path = folder / "shar/cuts.000001.jsonl.gz"
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_off, r"recording\.000001\.tar, record 0: ends after 5000 bytes, expected \d+ or more"),
        (without_tar, r"shards, shard 1: cannot be read: no such file"),
        (half_of_a_gzip, r"shards, shard 1: cannot be read: "),
        (without_places, r"shard\.000001\.json: does not say where its records are"),
        (with_lines(lambda lines: lines[:2]), r"cuts\.000001\.jsonl\.gz: has 2 records, expected 3"),
        (with_lines(lambda lines: [lines[0], "{}\n", lines[2]]), r"cuts\.000001\.jsonl\.gz, record 1: is no utterance"),
        (with_lines(lambda lines: [lines[1], lines[0], lines[2]]), r"cuts\.000001\.jsonl\.gz: is not what shard"),
    ],
)
def test_a_damaged_shard_is_named_before_anything_is_read_and_can_be_written_again(
    corpus: list[Utterance], tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    damage(tmp_path / "shards")
    with pytest.raises(DataError, match=said) as error:
        shard_utterances(tmp_path / "shards")
    assert error.value.fix is not None
    assert shard_utterances(tmp_path / "shards", [0, 2]) == [*corpus[:3], corpus[6]]
    (tmp_path / "shards/shard.000001.json").unlink()  # as the error says
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    assert shard_utterances(tmp_path / "shards") == corpus


@pytest.mark.parametrize(
    ("place", "content", "said"),
    [
        (0, bytes(4000), "cannot be decoded"),
        (-512, bytes(512), "does not begin where it was written"),
        (-512, None, "holds set/u4.flac"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_with_its_shard(
    corpus: list[Utterance], tmp_path: Path, place: int, content: bytes | None, said: str
) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    utterance, other = shard_utterances(tmp_path / "shards")[5], shard_utterances(tmp_path / "shards")[4]
    assert utterance.record is not None
    assert other.record is not None
    if content is None:  # the place of another record
        utterance = replace(utterance, record=utterance.record._replace(offset=other.record.offset))
        utterance = replace(utterance, record=utterance.record._replace(size=other.record.size))
    else:
        with utterance.record.shard.open("r+b") as file:
            file.seek(utterance.record.offset + place)
            file.write(content)
    named = rf"recording\.000001\.tar, record 2 \(set/u5\): {said}"
    with pytest.raises(DataError, match=named):
        read_audio(utterance)
    found = AudioReader()(utterance)
    assert isinstance(found, Unreadable)
    assert found.id == "set/u5"
    assert re.search(named, found.reason)


def test_shards_without_the_places_of_their_records_are_written_again(corpus: list[Utterance], tmp_path: Path) -> None:
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    without_places(tmp_path / "shards")
    write_shards(corpus, tmp_path / "shards", shard_size=3)
    assert shard_utterances(tmp_path / "shards") == corpus


def test_names_longer_than_a_tar_block_holds_are_read(corpus: list[Utterance], tmp_path: Path) -> None:
    named = [replace(u, id=("ü" * 60 if n else "a" * 150) + f"/{n}") for n, u in enumerate(corpus[:3])]
    write_shards(named, tmp_path / "shards")
    for utterance in shard_utterances(tmp_path / "shards"):
        assert len(read_audio(utterance)) == round(utterance.duration_s * 16000)


def test_a_size_or_format_that_is_none_is_refused(corpus: list[Utterance], tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        write_shards(corpus, tmp_path, shard_size=0)
    with pytest.raises(ConfigError):
        write_shards(corpus, tmp_path, audio_format="mp3")  # type: ignore[arg-type]
