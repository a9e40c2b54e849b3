"""The prompt encoder."""

import torch

from speech.nn.prompt import PromptConfig, PromptEncoder


@torch.no_grad()
def test_a_prompt_does_not_see_its_padding():
    encoder = PromptEncoder(PromptConfig(dim=8, layers=2, heads=2, hidden=16), 12).eval()
    x = torch.randn(2, 5, 8)
    y = encoder(x, torch.tensor([3, 5]))
    torch.testing.assert_close(y[0], encoder(x[:1, :3], torch.tensor([3]))[0])
    assert [row.shape for row in y] == [(3, 12), (5, 12)]
