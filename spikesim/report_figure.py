"""How the figures of reports are drawn: curves of several seeds with their median, bars, pictures; a page wide."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.card_figure import COLOURS

if TYPE_CHECKING:
    from spikesim.report import Section

WIDTH = 7.0  # inches
GREY = "#777777"
STYLE: Any = {
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
}
Curve = tuple[Any, Any]  # x and y


def draw_png(section: Section) -> bytes:
    """A section's figure."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    assert section.draw is not None
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, section.height), layout="constrained")
        FigureCanvasAgg(figure)
        section.draw(figure)
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=200)
    return data.getvalue()


def median(curves: Sequence[Curve]) -> Curve:
    """The median over curves, at those x that at least half of them have, over those that have it."""
    rows = [dict(zip(np.asarray(x).tolist(), y, strict=True)) for x, y in curves]
    held = {x: [row[x] for row in rows if x in row] for x in sorted(set().union(*rows))}
    kept = {x: np.median(values) for x, values in held.items() if 2 * len(values) >= len(rows)}
    return np.array(list(kept)), np.array(list(kept.values()))


def lines(ax: Any, curves: Sequence[Curve], colour: str, label: str, style: str = "-") -> None:
    """One thin line a seed, and a thick one for their median as far as half of them have come."""
    for x, y in curves:
        ax.plot(x, y, style, color=colour, linewidth=0.6, alpha=0.6)
    x, y = median(curves)
    ax.plot(x, y, style, color=colour, linewidth=1.8, label=label, marker="o" if len(x) < 2 else None, markersize=4)


def legend(figure: Any, *axes: Any) -> None:
    """One for all axes, above them, where nothing is drawn; each name once."""
    named = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    columns = max(1, min(len(named), 110 // (6 + max(map(len, named), default=1))))
    figure.legend(named.values(), named.keys(), loc="outside upper left", ncols=columns, columnspacing=1.4)


def bars(ax: Any, values: Mapping[str, Sequence[float]], published: Mapping[str, float]) -> None:
    """A bar for the median of each, a ring for each seed, and a line where it was published."""
    for k, (name, own) in enumerate(values.items()):
        ax.bar(k, np.median(own), width=0.6, color=COLOURS[5], alpha=0.7, label="" if k else "median")
        ax.plot(k + _apart(len(own)), own, "o", color=COLOURS[0], markerfacecolor="white", markersize=4,
                label="" if k else "each seed")  # fmt: skip
        ax.annotate(f"{np.median(own):.2f}", (k, 0), (0, 3), textcoords="offset points", ha="center", fontsize=7)
        if name in published:
            ax.plot([k - 0.38, k + 0.38], [published[name]] * 2, color=COLOURS[1], linewidth=1.8)
    if set(values) & set(published):
        ax.plot([], [], color=COLOURS[1], linewidth=1.8, label="published")
    ax.set_xticks(range(len(values)), [name.replace(", ", ",\n") for name in values])
    ax.tick_params(axis="x", length=0)
    top = max(max(own) for own in values.values())
    ax.set_ylim(0, 1.3 * max([top, *(published[name] for name in values if name in published)]))
    ax.legend(loc="upper left", ncols=3, handlelength=1.4, columnspacing=1.2)


def _apart(n: int) -> Any:
    return np.linspace(-0.16, 0.16, n) if n > 1 else np.zeros(1)


def picture(ax: Any, image: Any, most: float | None = None) -> Any:
    """A matrix as a picture: blue below 0, white at 0, red above; `most` is what has the full colour."""
    image = np.asarray(image)
    most = most or float(np.abs(image).max()) or 1.0
    shown = ax.imshow(image, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return shown


def mosaic(ax: Any, images: Any, columns: int) -> None:
    """Pictures (n, rows, columns) side by side, each with a scale of its own, a row of so many after the other."""
    images = np.asarray(images, dtype=float)
    n, high, wide = images.shape
    most = np.abs(images).max(axis=(1, 2), keepdims=True)
    rows = -(-n // columns)
    whole = np.full((rows * (high + 2), columns * (wide + 2)), np.nan)
    for k, image in enumerate(images / np.where(most > 0.0, most, 1.0)):
        top, left = k // columns * (high + 2), k % columns * (wide + 2)
        whole[top : top + high, left : left + wide] = image
    picture(ax, whole, 1.0)


def stacked(blocks: Sequence[tuple[str, Any]], heights: Sequence[float], figure: Any) -> None:
    """(title, what draws on axes) below each other."""
    axes = figure.subplots(len(blocks), squeeze=False, height_ratios=heights)[:, 0]
    for ax, (title, draw) in zip(axes, blocks, strict=True):
        draw(ax)
        ax.set_title(title, fontsize=7.5)


def rising(ax: Any) -> None:
    """A logarithmic y axis where values differ by more than a factor of ten."""
    values = np.concatenate([line.get_ydata() for line in ax.get_lines()] or [np.ones(1)]).astype(float)
    values = values[np.isfinite(values) & (values > 0.0)]
    if values.size and values.max() > 10.0 * values.min():
        ax.set_yscale("log")
