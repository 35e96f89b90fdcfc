"""The slot of a network that a run has trained to see depth in one photo; an entry point offers it."""

from __future__ import annotations

from ...stages.slots import Slot
from .weights import MonoWeights

MONO = Slot("mono", MonoWeights, per="run", after="views")
