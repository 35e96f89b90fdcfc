"""A monocular network that looks at no image."""

from __future__ import annotations

import torch
from diptych.learned.mono.network import MonoDepth


def one_wall() -> MonoDepth:
    """Untaught, and all of its planes are the same wall ahead: it sees every pixel one unit away."""
    torch.manual_seed(0)
    network = MonoDepth().eval()
    planes = network.planes[-1]
    assert isinstance(planes, torch.nn.Linear)
    assert network.head.bias is not None
    with torch.no_grad():
        planes.bias.view(-1, 3)[:] = torch.tensor([1.0, 0.0, 0.0])
        log_depth, _ = network(torch.zeros(1, 3, 32, 32), torch.zeros(1, 2, 32, 32))
        network.head.bias[0] -= log_depth[0, 0, 0]
    return network
