"""Tokens of encoded parts: the best of each frame or a search, and what a label decoder is judged by."""

import pytest
import torch

from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.greedy import TokenSpan, collapse, greedy
from speech.recognize.adapter_tokens import AdapterTokens
from speech.recognize.encoded import EncodedPart
from speech.recognize.part_decoder import PartDecoder
from speech.recognize.request import Request


def decoder(model, tokenizer, decode=greedy) -> PartDecoder:
    return PartDecoder(model, tokenizer, decode, AdapterTokens(tokenizer))


@pytest.fixture(scope="module")
def parts(model, tokenizer) -> list[EncodedPart]:
    """Of several lengths and languages, one with evidence."""
    torch.manual_seed(0)
    evidence = torch.randn(40, len(tokenizer.vocabulary.languages)).log_softmax(dim=-1)
    kinds = [(40, evidence, Request()), (7, None, Request(("deu",))), (25, None, Request(("rus",)))]
    return [EncodedPart(3 * torch.randn(count, model.dim), told, request, None) for count, told, request in kinds]


def test_the_best_token_of_each_frame_is_one_that_can_be_said(model, tokenizer, parts):
    mine = decoder(model, tokenizer)
    together = mine.spans(parts)
    for part, found in zip(parts, together, strict=True):
        log_probs = mine.log_probs(part.x).clone()
        known = set(part.request.languages) <= {*tokenizer.vocabulary.languages}
        log_probs[:, sorted(mine.tokens.forbidden(part.request.written if known else ()))] = -torch.inf
        best, ids = log_probs.max(dim=-1)
        expected = collapse(ids.tolist(), best.exp().tolist())
        assert [(s.id, s.start_frame, s.end_frame) for s in found] == [
            (s.id, s.start_frame, s.end_frame) for s in expected
        ]
        assert [s.confidence for s in found] == pytest.approx([s.confidence for s in expected], abs=1e-5)
        assert mine.spans([part])[0] == found


def test_a_search_says_the_likeliest_of_its_texts(model, tokenizer, parts):
    mine = decoder(model, tokenizer, BeamDecoder(beam=4))
    for part in parts[:2]:
        several = mine.nbest(part)
        assert several[0][0] == mine.spans([part])[0]
        shares = [share for _, share in several]
        assert shares == sorted(shares, reverse=True)
    assert decoder(model, tokenizer).nbest(parts[0]) == []  # without a beam there is one text


def test_a_label_decoder_is_told_the_text_and_all_that_ctc_finds_likely(model, tokenizer, parts):
    mine = decoder(model, tokenizer)
    spans = [TokenSpan(token, place, place + 1, 0.9) for place, token in enumerate(tokenizer.encode("the cat"))]
    judged = mine.judged(parts[1], [*spans, TokenSpan(tokenizer.vocabulary.nolang, 6, 7, 0.9)], ("deu",))
    assert judged.texts == ("the cat",)
    assert (judged.languages, judged.adapted) == (("deu",), {"deu"})
    torch.testing.assert_close(torch.from_numpy(judged.log_probs), mine.log_probs(parts[1].x))
    assert mine.judged(parts[1], [], ()).texts == ()
