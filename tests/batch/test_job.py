"""One job reads the same in every worker, and has one identity."""

from functools import partial

from speech.batch.driver import run
from speech.batch.job import Job, open_reader
from speech.batch.ledger import Ledger
from speech.batch.local import LocalPool
from tests.batch.writing import write
from tests.conftest import CLIPS
from tests.tiny_translators import save_marian


def test_another_channel_or_track_or_other_texts_are_another_job(checkpoint):
    choices = ({}, {"channel": 0}, {"track": 0}, {"plain": True}, {"nbest": 2})
    jobs = [Job(model=str(checkpoint), language="auto", **chosen) for chosen in choices]
    assert len({job.identity("txt") for job in jobs}) == 5


def test_another_translator_is_another_job(checkpoint, tmp_path):
    folder = save_marian(tmp_path / "opus")
    common = {"model": str(checkpoint), "language": "eng", "to": "fra"}
    names = [None, f"{folder}=eng:fra", f"{folder}=eng,deu:fra", "http://localhost/v1=eng:fra"]
    jobs = [Job(**common, translator=name) for name in names]
    jobs.append(Job(**common, translator=names[-1], translator_model="tiny"))
    before = [job.identity("txt") for job in jobs]
    assert len(set(before)) == 5
    (folder / "model.bin").write_bytes(b"another one")
    after = [job.identity("txt") for job in jobs]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, False, True, True]


def test_a_label_model_alone_reads_in_workers_too(whisper_checkpoint, tmp_path):
    job = Job(model=str(whisper_checkpoint), language="deu")
    clips = sorted(map(str, CLIPS.parent.glob("*.ogg")))[:3]
    read = open_reader(job, 1)
    expected = {clip: read(clip) for clip in clips}
    ledger, pool = Ledger(tmp_path / "run.sqlite"), LocalPool(partial(open_reader, job, 1), 2)
    try:
        found = dict(run(ledger.plan(clips, job.identity("txt")), ledger, pool, partial(write, tmp_path)))
    finally:
        pool.close()
        ledger.close()
    assert found == expected
    assert any(transcript.text for transcript in found.values())
