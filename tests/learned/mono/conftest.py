"""Fixtures of the tests of MonoNet."""

from __future__ import annotations

import pytest
import torch
from diptych.learned.mono.network import MonoDepth


@pytest.fixture
def network() -> MonoDepth:
    """Untrained, but its output differs between images and pixels, unlike that of a new head."""
    torch.manual_seed(0)
    made = MonoDepth().eval()
    torch.nn.init.normal_(made.head.weight, std=0.1)
    return made
