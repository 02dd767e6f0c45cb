"""In a real kernel, without a browser: what a notebook shows, and what an exported page has."""

import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

CELLS = {
    "begin": "import torch\nfrom cvcourse.classroom import *\nrun = begin('96 Notebook')",
    "last value": "show_images(torch.rand(2, 3, 8, 8), title='Last')",
    "not last": "figure = show_images(torch.rand(3, 8, 8), title='Not last')\nx = 1",
    "two": "for name in 'ab':\n    show_images(torch.rand(3, 8, 8), title=name)",
    "again": "figure",
    "plain": "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\n_ = plt.title('Plain')",
    "fit": (
        "model = torch.nn.Linear(1, 1)\ndata = [torch.ones(4, 1)] * 5\n"
        "history = fit(model, data, lambda m, x: m(x).square().mean(), epochs=2)"
    ),
    "explore": "explorer = explore_iou()\nexplorer",
    "move": "explorer.controls['x'].value = 60\nexplorer.controls['y'].value = 40",
}


def execute(folder):
    """Run the cells above and save the notebook."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CVCOURSE_DEVICE", "cpu")
        patch.setenv("CVCOURSE_RECORDS", str(folder / "records"))
        patch.delenv("MPLBACKEND", raising=False)
        NotebookClient(notebook, timeout=300).execute()
    nbformat.write(notebook, folder / "executed.ipynb")


@pytest.fixture
def notebook(once):
    """The cells above, executed."""
    return nbformat.read(once("notebook", execute) / "executed.ipynb", as_version=4)


def shown(notebook, name):
    """The pictures' alternative texts in the output of a cell."""
    outputs = notebook.cells[list(CELLS).index(name)].outputs
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    for output in pictures:
        assert f'alt="{output.metadata["image/png"]["alt"]}"' in output.data["text/html"]
    return [output.metadata["image/png"]["alt"] for output in pictures]


@pytest.mark.parametrize(
    ("name", "alts"),
    [
        ("last value", ["Last. 2 pictures."]),
        ("not last", ["Not last. 1 picture."]),
        ("two", ["a. 1 picture.", "b. 1 picture."]),
        ("again", ["Not last. 1 picture."]),
        ("plain", ["Figure. Plain"]),
        ("move", []),
    ],
)
def test_each_figure_is_shown_once_with_its_alternative_text(notebook, name, alts):
    assert shown(notebook, name) == alts


def test_fit_shows_a_bar_and_one_live_picture(notebook):
    (alt,) = shown(notebook, "fit")
    assert alt.startswith("Training. loss goes from")
    outputs = notebook.cells[list(CELLS).index("fit")].outputs
    assert "0/10" in outputs[0].data["text/plain"]  # a widget, which a browser fills


def test_moving_a_control_redraws_the_figure_in_place(notebook):
    assert shown(notebook, "explore") == [
        "Two boxes; intersection 3000, union 3000 pixels, IoU 1.000."
    ]


def test_exported_page_has_every_figure(notebook):
    del notebook.metadata["widgets"]  # as JupyterLab saves it
    page, _ = HTMLExporter().from_notebook_node(notebook)
    alts = re.findall(r'<img[^>]*alt="([^"]*)"', page)
    assert len(alts) == 8
    assert alts[-1].startswith("Two boxes; intersection")
    assert "x = 80, y = 60, width = 60, height = 50" in page
