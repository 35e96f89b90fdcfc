"""An endless source of multi-view training scenes with exact depth, made where the training runs."""
