"""How Sphinx builds the site; `scripts/pages` writes what it reads. Nothing is fetched."""

import sys
from pathlib import Path

SOURCE = Path(__file__).parent
sys.path.insert(0, str(next(f for f in SOURCE.parents if (f / "pyproject.toml").exists())))

import cvcourse  # noqa: E402
from scripts.pages.docstrings import as_rst  # noqa: E402
from scripts.pages.links import REPOSITORY  # noqa: E402

project = "cvcourse"
author = "The cvcourse authors"
copyright = "The cvcourse authors, MIT licence"
version = release = cvcourse.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["scaling.md", "_static", "conf.py", "*.toml"]
default_role = "py:obj"  # `names` in docstrings lead to their pages

nb_execution_mode = "off"
nb_ipywidgets_js = {}  # widgets are still pictures here
nb_merge_streams = True
myst_enable_extensions = [
    "amsmath",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "strikethrough",
]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.header",
    "myst.strikethrough",
    "mystnb.mime_priority",
    "mystnb.unknown_mime_type",
]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 80
add_module_names = False

mathjax_path = "mathjax-tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "pydata_sphinx_theme"
html_title = "cvcourse"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 5,
    "show_prev_next": True,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "icon_links": [{"name": "Source", "url": REPOSITORY, "icon": "fa-brands fa-github"}],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "search_as_you_type": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}


def plain_docstrings(app, what, name, obj, options, lines):
    lines[:] = as_rst(lines)


def setup(app):
    app.connect("autodoc-process-docstring", plain_docstrings, priority=400)  # before napoleon
