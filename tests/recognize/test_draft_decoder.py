import pytest
import torch

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest
from speech.recognize.draft_decoder import standardised
from speech.recognize.label_pass import LabelPass
from tests.conftest import CLIPS


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
    draft = label.drafts.draft(part, "fra", (), complete=True)
    prompt = label.tokenizer.prompt("fra", translate=True)
    found = label.candidates.found(part, prompt)
    assert draft.ended
    assert draft.tokens in {one.tokens for one in found}


def test_a_finished_text_may_end_at_once(label):
    clips = {clip.id: clip for clip in read_manifest(CLIPS, check_files=True)}
    part = label.listen(load_audio(clips["ast_fr_priv-callpending"].audio))
    whole = label.drafts.draft(part, "fra", (), complete=True)
    rest = label.drafts.draft(part, "fra", whole.tokens, complete=True)
    assert rest.ended
    assert len(rest.tokens) <= 2  # nothing, or a last sign


def test_a_text_as_long_as_the_speech_allows_is_not_continued(label, speech):
    part = label.listen(speech)
    full = (11,) * part.most_tokens
    draft = label.drafts.draft(part, "fra", full, complete=False)
    assert draft.tokens == ()
    assert draft.ended


def test_probabilities_are_those_of_the_decoder(label, speech):
    part = label.listen(speech)
    draft = label.drafts.draft(part, "fra", (), complete=False)
    prompt = label.tokenizer.prompt("fra", translate=True)
    rows = torch.tensor([[*prompt, *draft.tokens]])
    x, _, _ = label.model.step(rows, part.fresh)
    chances = label.model.logits(x[0]).softmax(dim=-1)
    wanted = [float(chances[len(prompt) - 1 + n, token]) for n, token in enumerate(draft.tokens)]
    assert draft.chances == pytest.approx(wanted, rel=1e-3)
