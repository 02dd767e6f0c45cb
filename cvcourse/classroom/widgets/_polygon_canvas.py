"""The canvas of `annotate` in a browser: polygon_canvas.js and what it shares with Python."""

from pathlib import Path

import anywidget
import traitlets

STYLE = """
.cvcourse-polygons { font: 13px/1.5 sans-serif; color: var(--jp-ui-font-color1, #222); }
.cvcourse-polygons .bar { display: flex; flex-wrap: wrap; gap: 4px; margin-bottom: 6px; }
.cvcourse-polygons button, .cvcourse-polygons select {
  font: inherit; padding: 2px 8px; border: 1px solid #888; border-radius: 3px; cursor: pointer;
  background: var(--jp-layout-color2, #eee); color: inherit;
}
.cvcourse-polygons button[aria-pressed="true"] { background: #0072B2; color: white; }
.cvcourse-polygons button:disabled { opacity: 0.5; cursor: default; }
.cvcourse-polygons canvas { display: block; max-width: 100%; touch-action: none; }
.cvcourse-polygons :focus-visible { outline: 3px solid #E69F00; }
.cvcourse-polygons .said { min-height: 1.5em; font-weight: bold; }
.cvcourse-polygons .help { max-width: 640px; color: var(--jp-ui-font-color2, #555); }
"""


class PolygonCanvas(anywidget.AnyWidget):
    _esm = Path(__file__).with_name("polygon_canvas.js")
    _css = STYLE
    picture = traitlets.Unicode().tag(sync=True)  # data:image/png;...
    state = traitlets.Dict().tag(sync=True)
