"""A checkpoint of each kind becomes what reads it, and only what has CTC takes what only CTC can use."""

import shutil

import pytest
import torch

from speech.decode.label.joint import JointConfig
from speech.errors import ConfigError, ModelError
from speech.models.adapters.file import fingerprint
from speech.models.checkpoint import load_label_outline
from speech.models.policy_file import POLICY, PolicyFile, save_policy
from speech.models.translation_targets import TargetScore, write_targets
from speech.nn.policy_network import PolicyConfig, PolicyNetwork
from speech.recognize.full_context import FullContextPass
from speech.recognize.label_only import LabelReader
from speech.recognize.loading import LoadOptions, load_reader
from speech.recognize.part_reader import has_trained_policy
from speech.recognize.request import Request
from speech.translate.toxicity import ToxicWords
from tests.tiny_hybrid import save_tiny_hybrid

CPU = torch.device("cpu")


def test_each_kind_has_its_reader(checkpoint, whisper_checkpoint, tmp_path):
    assert isinstance(load_reader(checkpoint, CPU, LoadOptions()), FullContextPass)
    assert isinstance(load_reader(whisper_checkpoint, CPU, LoadOptions()), LabelReader)
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_reader(tmp_path, CPU, LoadOptions())


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"language_model": "lm.arpa"}, "a language model"),
        ({"graph": "words.txt"}, "a graph"),
        ({"adapters": "adapters"}, "adapters"),
        ({"conditioning_top": 16}, "conditioning"),
    ],
)
def test_without_ctc_it_is_refused_by_name(whisper_checkpoint, options, what):
    with pytest.raises(ConfigError, match=f"{what}: this model has no CTC. Use a CTC or hybrid model."):
        load_reader(whisper_checkpoint, CPU, LoadOptions(**options))


def test_what_contradicts_itself_is_refused_before_anything_is_read():
    with pytest.raises(ConfigError, match="beam 0"):
        LoadOptions(beam=0)


def test_a_beam_is_that_of_the_label_decoder(whisper_checkpoint):
    assert load_reader(whisper_checkpoint, CPU, LoadOptions(beam=2))._full.beam == 2
    assert load_reader(whisper_checkpoint, CPU, LoadOptions())._full.beam == 5


def test_what_a_whisper_translates_into_is_what_has_been_measured(whisper_checkpoint, tmp_path):
    folder = tmp_path / "measured"
    shutil.copytree(whisper_checkpoint, folder)
    assert load_reader(folder, CPU, LoadOptions(measured_targets=False)).into == ("eng",)
    score = TargetScore(chrf=40.0, source_chrf=20.0, utterances=30, sources=("deu", "spa"), data="made up")
    write_targets(folder, {"eng": score})
    reader = load_reader(folder, CPU, LoadOptions())
    assert (reader.into, reader.targets) == (("eng",), {"eng": score})
    reader.check(Request(to="eng"))
    write_targets(folder, {"deu": score})
    with pytest.raises(ModelError, match="has no token for it"):
        load_reader(folder, CPU, LoadOptions())


def test_only_a_label_decoder_that_is_used_can_be_guarded_against_toxic_words(checkpoint, whisper_checkpoint):
    words = ToxicWords({"eng": ["pest"]})
    load_reader(whisper_checkpoint, CPU, LoadOptions(toxic_words=words))
    with pytest.raises(ConfigError, match=r"toxic words: no label decoder translates\. Use a hybrid or a Whisper"):
        load_reader(checkpoint, CPU, LoadOptions(toxic_words=words))
    with pytest.raises(ConfigError, match=r"without a list of English"):
        load_reader(whisper_checkpoint, CPU, LoadOptions(toxic_words=ToxicWords({"fra": []}), text_targets=["fra"]))


def test_behind_a_model_without_a_label_decoder_a_text_translator_can_be_guarded(checkpoint):
    words = ToxicWords({"eng": ["pest"]})
    load_reader(checkpoint, CPU, LoadOptions(toxic_words=words, text_targets=["fra", "eng"]))
    with pytest.raises(ConfigError, match=r"without a list of a language that the text translator.* Add fra\.txt"):
        load_reader(checkpoint, CPU, LoadOptions(toxic_words=words, text_targets=["fra", "deu"]))


def test_a_policy_beside_the_label_model_is_loaded_and_another_models_is_refused(whisper_checkpoint, tmp_path):
    assert not has_trained_policy(load_reader(whisper_checkpoint, CPU, LoadOptions()))
    folder, hybrid = tmp_path / "copy", tmp_path / "hybrid"
    shutil.copytree(whisper_checkpoint, folder)
    save_tiny_hybrid(hybrid, JointConfig())
    for checkpoint, label in ((folder, folder), (hybrid, hybrid / "label")):
        shape = load_label_outline(label).config.decoder
        network = PolicyNetwork(PolicyConfig(), shape.dim, shape.layers, shape.heads)
        save_policy(label / POLICY, PolicyFile(network, fingerprint(label), ""))
        reader = load_reader(checkpoint, CPU, LoadOptions())
        found = (reader.label if checkpoint is hybrid else reader).drafts.policy
        assert torch.equal(found.bias, network.bias)
        assert has_trained_policy(reader)
        save_policy(label / POLICY, PolicyFile(network, "b" * 64, ""))
        with pytest.raises(ModelError, match="is for another label model: trained with bbbbbbbbbbbb"):
            load_reader(checkpoint, CPU, LoadOptions())
