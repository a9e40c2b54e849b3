"""One matrix embeds tokens and scores the next."""

import torch

from speech.nn.tied_embedding import TiedEmbedding


def test_rows_are_embeddings_and_logits_are_products_with_them():
    embedding = TiedEmbedding(3, 2)
    with torch.no_grad():
        embedding.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]]))
    assert embedding(torch.tensor([[2, 0]])).tolist() == [[[3.0, 4.0], [1.0, 0.0]]]
    assert embedding.logits(torch.tensor([1.0, 10.0])).tolist() == [1.0, 20.0, 43.0]


def test_both_uses_train_the_same_matrix():
    embedding = TiedEmbedding(3, 2)
    embedding.logits(embedding(torch.tensor([1]))).sum().backward()
    rows = embedding.weight.detach()
    expected = rows[1].repeat(3, 1)  # of the logits
    expected[1] += rows.sum(dim=0)  # of the embedding
    torch.testing.assert_close(embedding.weight.grad, expected)
