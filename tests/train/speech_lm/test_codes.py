"""Codes of a corpus are made once, by one codec, and are checked when they come from elsewhere."""

import pytest
import torch

from speech.data.manifest import read_manifest
from speech.data.reading import AudioReader, Tally
from speech.errors import DataError, ModelError
from speech.tensors import load_tensors, save_tensors
from speech.train.speech_lm import codes
from speech.train.speech_lm.codes import digest_of, encode_corpus, read_codes
from tests.tiny_codec import tiny_codec
from tests.train.codec.corpus import spoken
from tests.train.speech_lm.corpus import utterance

__all__ = ["spoken"]  # fixtures


def tally(count, share=0.0):
    return Tally("train", count, share)


def test_codes_are_those_of_the_codec_and_are_made_once(spoken, tmp_path, monkeypatch):
    corpus, codec, path = read_manifest(spoken / "dev.jsonl"), tiny_codec(), tmp_path / "dev.safetensors"
    found = encode_corpus(codec, corpus[:3], path, tally(3))
    samples = torch.from_numpy(AudioReader(rate=8000)(corpus[1]))
    wanted, frames = codec.encode(samples[None], torch.tensor([len(samples)]))
    assert torch.equal(found[corpus[1].id].long(), wanted[0])
    assert found[corpus[1].id].shape == (2, int(frames))

    read = []
    original = AudioReader.__call__
    monkeypatch.setattr(AudioReader, "__call__", lambda self, own: (read.append(own.id), original(self, own))[1])
    again = encode_corpus(codec, corpus, path, tally(5))
    assert read == [own.id for own in corpus[3:]]
    assert again.keys() == {own.id for own in corpus} == load_tensors(path).keys()
    assert all(torch.equal(again[name], own) for name, own in found.items())
    assert all(torch.equal(own, read_codes(codec, path)[name]) for name, own in again.items())


def test_another_codec_makes_them_anew(spoken, tmp_path):
    corpus, path = read_manifest(spoken / "dev.jsonl")[:1], tmp_path / "dev.safetensors"
    encode_corpus(tiny_codec(), corpus, path, tally(1))
    other = tiny_codec()
    with torch.no_grad():
        for parameter in other.encoder.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    assert digest_of(other) != digest_of(tiny_codec())
    with pytest.raises(DataError, match="holds codes of another codec"):
        read_codes(other, path)
    encode_corpus(other, corpus, path, tally(1))
    assert read_codes(other, path).keys() == {corpus[0].id}


def test_the_decoder_of_a_codec_does_not_change_its_codes():
    other = tiny_codec()
    with torch.no_grad():
        for parameter in other.decoder.parameters():
            parameter.add_(1.0)
    assert digest_of(other) == digest_of(tiny_codec())


def test_what_is_made_is_kept_on_the_way(spoken, tmp_path, monkeypatch):
    monkeypatch.setattr(codes, "_KEPT_EVERY", 2)
    corpus, path = read_manifest(spoken / "dev.jsonl"), tmp_path / "dev.safetensors"
    original = codes._encoded

    def fail(codec, samples):
        if path.is_file():
            raise KeyboardInterrupt
        return original(codec, samples)

    monkeypatch.setattr(codes, "_encoded", fail)
    with pytest.raises(KeyboardInterrupt):
        encode_corpus(tiny_codec(), corpus, path, tally(5))
    assert load_tensors(path).keys() == {own.id for own in corpus[:2]}


def test_what_cannot_be_read_is_left_out_until_it_is_too_much(spoken, tmp_path):
    corpus = [*read_manifest(spoken / "dev.jsonl"), utterance(77)]
    found = encode_corpus(tiny_codec(), corpus, tmp_path / "a.safetensors", tally(6, 0.2))
    assert "t77" not in found
    assert len(found) == 5
    with pytest.raises(DataError, match="1 of 6 cannot be read, the last is t77"):
        encode_corpus(tiny_codec(), corpus, tmp_path / "b.safetensors", tally(6))


def test_codes_from_elsewhere_are_checked(tmp_path):
    codec, path = tiny_codec(), tmp_path / "codes.safetensors"
    with pytest.raises(DataError, match="no such file"):
        read_codes(codec, path)
    for wrong in (
        torch.zeros(3, 4).short(),
        torch.zeros(2, 4).int(),
        torch.full((2, 4), 12).short(),
        -torch.ones(2, 4).short(),
    ):
        save_tensors(path, {"good": torch.zeros(2, 1).short(), "bad": wrong}, {"codec": digest_of(codec)})
        with pytest.raises(DataError, match=r"bad is torch\.int.*out of range"):
            read_codes(codec, path)
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is damaged"):
        read_codes(codec, path)
