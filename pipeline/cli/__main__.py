"""``python -m diptych.pipeline.cli``."""

from . import main

main()
