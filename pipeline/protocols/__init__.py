"""Standard protocols on data in the layout of its authors, for any recipe, beside peers and published figures.

A protocol is a file here and a line in :mod:`diptych.pipeline.protocols.registry`.
"""
