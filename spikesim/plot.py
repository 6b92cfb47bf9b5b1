"""A spike file as a figure: who fired when, and how much each population fired."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.sonata import SpikeFile, Train, read_spikes

# Okabe and Ito's colours, which the colour-blind can tell apart; the darker ones first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
RASTERISE = 100_000  # spikes above which the points of a PDF or SVG become an image
MAX_POINTS = 1_000_000  # more than this is a solid block on paper, and slow


def plot_raster(
    path_in: str | os.PathLike[str],
    path_out: str | os.PathLike[str],
    *,
    max_neurons: int = 1000,
    t_start: float = 0.0,
    t_stop: float | None = None,
) -> None:
    """Draw the spikes of a file: raster, population rates below it, mean rates beside it.

    Parameters
    ----------
    path_in, path_out
        The spike file, and the figure; the ending of its name (.png, .pdf, .svg) says the format.
    max_neurons
        How many neurons are shown in all. Each population gets the same share of rows at most, so that a large
        input does not crowd out the rest; of a larger one, evenly spaced neurons are shown. Rates always are
        those of all its neurons.
    t_start, t_stop
        The window in ms; by default the whole run.

    Raises
    ------
    SpikesimError
        When the file cannot be read, holds nothing in that window, or the figure cannot be written.
    """
    from matplotlib import rc_context

    file = read_spikes(path_in)
    if not file.populations:
        raise SpikesimError(f"{path_in} has no populations, so there is nothing to draw; record some.")
    if max_neurons < 1:
        raise SpikesimError(f"plot: max_neurons must be at least 1, not {max_neurons}.")
    stop = _end(file) if t_stop is None else float(t_stop)
    if not t_start < stop:
        raise SpikesimError(f"plot: the window from {t_start:g} to {stop:g} ms is empty; t_start < t_stop.")
    style = {
        "font.size": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.7,
        "xtick.direction": "out",
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
    }
    with rc_context(style):
        figure = _figure(file, Path(path_in).name, max_neurons, float(t_start), stop)
        _save(figure, Path(path_out))


def _figure(file: SpikeFile, title: str, max_neurons: int, start: float, stop: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(file.sizes) if set(file.sizes) == set(file.populations) else sorted(file.populations)
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, height_ratios=(3.2, 1.0), width_ratios=(5.5, 1.0))
    raster = figure.add_subplot(grid[0, 0])
    rates = figure.add_subplot(grid[1, 0], sharex=raster)
    means = figure.add_subplot(grid[0, 1], sharey=raster)

    bin_ms = _bin_width(start, stop)
    edges = start + bin_ms * np.arange(int(np.ceil((stop - start) / bin_ms - 1e-9)) + 1)
    windows = [_window(file.populations[name], start, stop) for name in names]
    sizes = [
        file.sizes.get(n) or (int(ids.max()) + 1 if len(ids) else 1)
        for n, (_, ids) in zip(names, windows, strict=True)
    ]
    shares = _shares(sizes, max_neurons)
    heights = _heights(shares)
    total = sum(len(ids) for _, ids in windows)
    base = float(sum(heights))
    top, centres, tallest = base, [], 0.0
    for index, ((times, ids), size, share, height) in enumerate(
        zip(windows, sizes, shares, heights, strict=True)
    ):
        colour = COLOURS[index % len(COLOURS)]
        base -= height
        shown, row = _rows(ids, size, share)
        keep = _thinned(shown.sum(), total)
        raster.scatter(
            times[shown][keep],
            base + height * (row[keep] + 0.5) / share,
            s=_point_size(len(row)),
            c=colour,
            marker="o",
            linewidths=0,
            rasterized=total > RASTERISE,
        )
        if index:
            raster.axhline(base + height, color="0.8", linewidth=0.6)
        centres.append(base + height / 2)
        counts, _ = np.histogram(times, edges)
        seconds = np.diff(np.minimum(edges, stop)) / 1000.0
        rate = counts / (size * seconds)
        tallest = max(tallest, float(rate.max()))
        rates.stairs(rate, np.minimum(edges, stop), color=colour, linewidth=0.9)
        mean = len(ids) / (size * (stop - start) / 1000.0)
        means.barh(centres[-1], mean, height=0.5 * height, color=colour)
        means.annotate(
            f"{mean:.3g} Hz", (mean, centres[-1]), (3, 0), textcoords="offset points", va="center", fontsize=7
        )

    labels = [
        f"{name}\n{share:,} of {size:,}" if share < size else f"{name}\n{size:,}"
        for name, size, share in zip(names, sizes, shares, strict=True)
    ]
    raster.set_yticks(centres, labels)
    for tick, index in zip(raster.get_yticklabels(), range(len(names)), strict=True):
        tick.set_color(COLOURS[index % len(COLOURS)])
    raster.tick_params(axis="y", length=0)
    raster.tick_params(axis="x", labelbottom=False)
    raster.set(xlim=(start, stop), ylim=(0.0, top), ylabel="neurons")
    rates.set(xlabel="time (ms)", ylabel=f"rate (Hz)\nin {bin_ms:g} ms", ylim=(0.0, 1.08 * tallest or 1.0))
    means.tick_params(axis="y", left=False, labelleft=False)
    means.spines["left"].set_visible(False)
    means.set(xlabel="mean rate (Hz)")
    means.margins(x=0.75)
    means.set_xlim(left=0.0)
    about = f"{title}: {total:,} spikes"
    about += f", seed {file.seed}" if file.seed is not None else ""
    figure.suptitle(about + (", run not completed" if file.completed is False else ""), fontsize=9)
    return figure


def _window(train: Train, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and ids of the spikes with start < t <= stop: a spike belongs to the end of its step."""
    pieces: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0, np.int64))]
    for _, times, ids in train.blocks():
        inside = (times > start) & (times <= stop)
        pieces.append((times[inside], ids[inside]))
    times, ids = zip(*pieces, strict=True)
    return np.concatenate(times), np.concatenate(ids)


def _end(file: SpikeFile) -> float:
    latest = [
        block[1].max() for train in file.populations.values() for block in train.blocks() if len(block[1])
    ]
    return float(max([file.duration_ms or 0.0, *latest])) or 1.0


def _bin_width(start: float, stop: float) -> float:
    """About a hundred and fifty bins, of a width that reads well; not below 1 ms, where rates are noise."""
    wish = max(1.0, (stop - start) / 150.0)
    scale = 10.0 ** np.floor(np.log10(wish))
    return float(min((scale * m for m in (1, 2, 5, 10)), key=lambda width: abs(np.log(width / wish))))


def _shares(sizes: list[int], max_neurons: int) -> list[int]:
    """How many neurons of each population are shown: small ones whole, the rest share what is left evenly."""
    shares, left = [0] * len(sizes), max_neurons
    for place, index in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        shares[index] = max(1, min(sizes[index], left // (len(sizes) - place)))
        left -= shares[index]
    return shares


def _heights(shares: list[int]) -> np.ndarray:
    """Rows are as high as neurons are many, but no population is thinner than its label."""
    part = np.asarray(shares, float) / sum(shares)
    return np.maximum(part, min(0.1, 0.8 / len(shares)))


def _rows(ids: np.ndarray, size: int, share: int) -> tuple[np.ndarray, np.ndarray]:
    """Which spikes are of the `share` evenly spaced neurons that are shown, and in which row each of them is."""
    chosen = np.linspace(0, size - 1, share).round().astype(np.int64)
    place = np.minimum(np.searchsorted(chosen, ids), share - 1)
    shown = chosen[place] == ids
    return shown, place[shown]


def _thinned(count: int, total: int) -> slice:
    return slice(None, None, max(1, -(-int(count) // MAX_POINTS)) if total > MAX_POINTS else 1)


def _point_size(points: int) -> float:
    """Points squared: 4 for a few hundred spikes, down to a quarter where they would run into each other."""
    return float(np.clip(4.0 * np.sqrt(500.0 / max(points, 1)), 0.25, 4.0))


def _save(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path, dpi=200)
    except ValueError:
        known = ", ".join(sorted(figure.canvas.get_supported_filetypes()))
        raise SpikesimError(
            f"{path}: a figure cannot be saved as {path.suffix!r}; use one of {known}."
        ) from None
    except OSError as error:
        raise SpikesimError(f"{path} cannot be written ({os.strerror(error.errno or 5)}).") from None
