"""How Sphinx builds these pages: ``python -m sphinx -W -b html docs docs/_build``."""

from importlib.metadata import version as version_of

project = "Diptych"
version = release = version_of("diptych")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 2

autodoc_default_options = {"no-value": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
napoleon_custom_sections = [("Attributes", "params_style"), ("Class attributes", "params_style")]

html_theme = "furo"
html_title = "Diptych"
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#b8461f", "color-brand-content": "#b8461f"},
    "dark_css_variables": {"color-brand-primary": "#f08a5d", "color-brand-content": "#f08a5d"},
}
