"""What several tests of MonoNet begin with."""

from __future__ import annotations

import pytest
import torch
from diptych.learned.mono.network import MonoDepth


@pytest.fixture
def network() -> MonoDepth:
    """Untaught, but it says something else of every image and every pixel, as a fresh head does not."""
    torch.manual_seed(0)
    made = MonoDepth().eval()
    torch.nn.init.normal_(made.head.weight, std=0.1)
    return made
