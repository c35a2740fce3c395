"""
How far one distribution over the vocabulary is from another, in nats. Knows nothing about models.
"""

from __future__ import annotations

import torch


def kl(here: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """
    KL(here ‖ there) in nats, of log-probabilities (…, vocabulary): one for each distribution (…). Never below zero: what
    would be there are rounding errors. NaN stays NaN.
    """
    return (here.exp() * (here - there)).sum(-1).clamp(min=0.0)
