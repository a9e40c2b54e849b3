import numpy as np
import pytest
import torch

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest
from speech.nn.policy_network import PolicyConfig, PolicyNetwork
from speech.recognize.draft_decoder import DraftDecoder, standardised
from speech.recognize.label_part import LabelPart
from speech.recognize.label_pass import LabelPass
from speech.translate.emma import Emma
from tests.conftest import CLIPS
from tests.tiny_whisper import literate_whisper, tiny_label_tokenizer


@pytest.fixture(scope="module")
def label(recognizer: Recognizer) -> LabelPass:
    found = recognizer.second_pass.label
    assert found is not None
    return found


def test_attention_is_standardised_over_tokens_and_averaged_over_heads():
    attention = torch.tensor([[[1.0, 0.0], [3.0, 0.0]], [[5.0, 2.0], [5.0, 4.0]]])  # (heads, tokens, frames)
    assert torch.allclose(standardised(attention), torch.tensor([[-0.5, -0.5], [0.5, 0.5]]))


def test_a_complete_part_without_anything_written_is_translated_as_a_file_is(label, speech):
    part = label.listen(speech)
    draft = label.drafts.draft(part, "fra", "eng", (), complete=True)
    prompt = label.tokenizer.prompt("fra", target="eng")
    found = label.candidates.found(part, prompt)
    assert draft.ended
    assert draft.tokens in {one.tokens for one in found}


def test_a_finished_text_may_end_at_once(label):
    clips = {clip.id: clip for clip in read_manifest(CLIPS, check_files=True)}
    part = label.listen(load_audio(clips["ast_fr_priv-callpending"].audio))
    whole = label.drafts.draft(part, "fra", "eng", (), complete=True)
    rest = label.drafts.draft(part, "fra", "eng", whole.tokens, complete=True)
    assert rest.ended
    assert len(rest.tokens) <= 2  # nothing, or a last sign


def test_a_text_as_long_as_the_speech_allows_is_not_continued(label, speech):
    part = label.listen(speech)
    full = (11,) * part.most_tokens
    draft = label.drafts.draft(part, "fra", "eng", full, complete=False)
    assert draft.tokens == ()
    assert draft.ended


def test_probabilities_are_those_of_the_decoder(label, speech):
    part = label.listen(speech)
    draft = label.drafts.draft(part, "fra", "eng", (), complete=False)
    prompt = label.tokenizer.prompt("fra", target="eng")
    rows = torch.tensor([[*prompt, *draft.tokens]])
    x, _, _ = label.model.step(rows, part.fresh)
    chances = label.model.logits(x[0]).softmax(dim=-1)
    wanted = [float(chances[len(prompt) - 1 + n, token]) for n, token in enumerate(draft.tokens)]
    assert draft.chances == pytest.approx(wanted, rel=1e-3)


def test_the_shipped_policy_waits_with_the_last_words_of_cut_speech(label, speech):
    part = label.listen(speech[: len(speech) // 2])
    draft = label.drafts.draft(part, "fra", "eng", (), complete=False, trained=True)
    assert all(0.0 <= chance <= 1.0 for chance in draft.write)
    assert len(draft.write) == len(draft.tokens)
    assert Emma().decide([draft]) < len(draft.tokens)
    assert label.drafts.draft(part, "fra", "eng", (), complete=False).write == ()  # not asked for


@torch.inference_mode()
def test_with_one_each_token_has_its_probability_at_the_last_frame_of_the_part():
    model, tokenizer = literate_whisper(), tiny_label_tokenizer()
    torch.manual_seed(3)
    network = PolicyNetwork(PolicyConfig(temperature=0.05, bias=0.0), dim=32, layers=2, heads=4)
    drafts = DraftDecoder(model, tokenizer, 2)
    drafts.policy = network
    samples = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    part = LabelPart.listen(model, samples, 19200)
    whole = drafts.draft(part, "deu", "eng", (), complete=False, trained=True)
    prompt = tokenizer.prompt("deu", target="eng")
    asked = model.asked(torch.tensor([[*prompt, *whole.tokens]]), model.begin(part.frames))
    chances = network.at_end(asked, part.frames, 50)  # 1 s without its tail
    assert whole.write == pytest.approx(chances[0, len(prompt) - 1 : -1].tolist())
    assert len(whole.write) == len(whole.tokens) > 3
    rest = drafts.draft(part, "deu", "eng", whole.tokens[:2], complete=False, trained=True)
    assert rest.tokens[:2] == whole.tokens[2:4]
    assert rest.write[:2] == pytest.approx(whole.write[2:4], rel=1e-4)
    with torch.no_grad():
        network.bias.fill_(-100.0)
    assert Emma().decide([drafts.draft(part, "deu", "eng", (), complete=False, trained=True)]) == 0
