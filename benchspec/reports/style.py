"""How figures look, and how they become files: SVG whose text stays text, and PNG. It needs matplotlib."""

from __future__ import annotations

import io
import warnings
from textwrap import fill
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, which people with any colour vision can tell apart, from dark to light
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "v", "P", "X")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
INK, FAINT = "#222222", "#999999"
#: matplotlib's settings, within which everything is drawn
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "benchspec",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "hatch.linewidth": 0.6,
}


def rendered(figure: Figure) -> dict[str, bytes]:
    """The figure by the suffix of a file: `svg` and `png`; the same figure gives the same bytes."""
    import matplotlib

    found = {}
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        # A name may hold characters that no installed font has, or be longer than there is room for.
        warnings.simplefilter("ignore", UserWarning)
        for suffix, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=suffix, metadata=metadata, dpi=150)
            found[suffix] = stream.getvalue()
    return found


def titled(title: str, size: tuple[float, float] = (6.8, 4.4)) -> Figure:
    """An empty figure with its title at the left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(fill(title, 70), fontsize=11, x=0.02, ha="left")
    return figure


def legend(figure: Figure, axes: Axes) -> None:
    """What each mark is, below the chart, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        wrapped = [fill(label, 90) for label in labels]
        figure.legend(handles, wrapped, loc="outside lower left", fontsize=8.5, frameon=False)
