"""How Sphinx makes the documentation site: `sphinx-build -W docs build/site`. What is generated: `arch_site`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import archdsl

project = "archdsl"
version = release = archdsl.__version__
html_title = f"archdsl {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "arch_site"]
exclude_patterns = ["arch_site"]
myst_heading_anchors = 3
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
napoleon_use_ivar = True
default_role = "code"
python_maximum_signature_line_length = 100

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
