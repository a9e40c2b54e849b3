"""Balance of losses by their gradients at the decoded samples (Defossez et al. 2022, "EnCodec", section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_EPS = 1e-12


class GradientBalancer(nn.Module):
    """Scales the gradient of each loss to a share of a norm of 1, whatever the scale of the loss.

    Norms are running means, which resume with the run.

    Args:
        shares: loss -> its part of the sum of gradients, relative to the others that are there.
        decay: factor on earlier norms per step.
    """

    def __init__(self, shares: Mapping[str, float], decay: float = 0.99) -> None:
        super().__init__()
        self.shares, self.decay = dict(shares), decay
        for name in self.shares:
            self.register_buffer(f"norm_{name}", torch.zeros(()))
            self.register_buffer(f"weight_{name}", torch.zeros(()))

    def forward(self, losses: Mapping[str, Tensor], samples: Tensor) -> Tensor:
        """Gradient at `samples (batch, N)` by all `losses`, of the same shape. Graphs of the losses are kept.

        Args:
            losses: scalars that depend on `samples`, which requires a gradient.
            samples: what has been decoded.
        """
        used = {name: loss for name, loss in losses.items() if self.shares[name]}
        whole = sum(self.shares[name] for name in used)
        total = torch.zeros_like(samples)
        for name, loss in used.items():
            (gradient,) = torch.autograd.grad(loss, samples, retain_graph=True)
            total += gradient * (self.shares[name] / whole / (self._norm(name, gradient) + _EPS))
        return total

    @torch.no_grad()
    def _norm(self, name: str, gradient: Tensor) -> Tensor:
        """Running mean of the norm of a row's gradient."""
        norm, weight = self.get_buffer(f"norm_{name}"), self.get_buffer(f"weight_{name}")
        norm.mul_(self.decay).add_(gradient.norm(dim=1).mean())
        weight.mul_(self.decay).add_(1.0)
        return norm / weight
