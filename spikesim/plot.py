"""A spike file as a figure: who fired when, and how much each population fired."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.sonata import SpikeFile, Train, read_spikes

# Okabe and Ito's colours and one of Tol's, which the colour-blind can tell apart; the darker ones first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#882255")
RASTERISE = 100_000  # points above which those of a PDF or SVG become an image
MAX_POINTS = 1_000_000  # above this every second, third, ... is drawn: no paper shows more


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
        How many neurons are shown in all. Each population gets the same share of rows at most, so that a
        large input does not crowd out the rest; of a larger one, evenly spaced neurons are shown. Rates are
        always those of all its neurons.
    t_start, t_stop
        The window in ms; by default the whole run.

    Raises
    ------
    SpikesimError
        When the file cannot be read, the window is empty, or the figure cannot be written.
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
    style: dict[Any, Any] = {
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


@dataclass
class _Band:
    """What is drawn of one population: some neurons in rows, and the rate of all."""

    name: str
    size: int
    share: int  # neurons shown
    colour: str
    times: np.ndarray  # ms, of the shown spikes
    rows: np.ndarray  # which of the shown neurons each is of
    counts: np.ndarray  # spikes of all neurons in each bin

    @property
    def total(self) -> int:
        return int(self.counts.sum())


def _figure(file: SpikeFile, title: str, max_neurons: int, start: float, stop: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    edges = _edges(file, start, stop)
    bands = _bands(file, max_neurons, edges)
    total = sum(band.total for band in bands)

    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, height_ratios=(3.2, 1.0), width_ratios=(6.0, 1.0))
    raster = figure.add_subplot(grid[0, 0])
    rates = figure.add_subplot(grid[1, 0], sharex=raster)
    means = figure.add_subplot(grid[0, 1], sharey=raster)

    heights = _heights([band.share for band in bands])
    bottoms = heights.sum() - np.cumsum(heights)
    _draw_spikes(raster, bands, heights, bottoms)
    _draw_means(means, bands, bottoms + heights / 2, heights.min(), stop - start)
    seconds = np.diff(edges) / 1000.0
    for band in bands:
        rates.stairs(band.counts / (band.size * seconds), edges, baseline=None, color=band.colour, linewidth=0.9)
    raster.set(xlim=(start, stop), ylim=(0.0, heights.sum()), ylabel="neurons")
    rates.set(xlabel="time (ms)", ylabel=f"rate (Hz)\nin {edges[1] - edges[0]:g} ms")
    rates.set_ylim(bottom=0.0, top=None if total else 1.0)
    figure.align_ylabels([raster, rates])
    about = f"{title}: {total:,} spikes" + (f", seed {file.seed}" if file.seed is not None else "")
    figure.suptitle(about + (", run not completed" if file.completed is False else ""), fontsize=9)
    return figure


def _draw_spikes(axes: Any, bands: list[_Band], heights: np.ndarray, bottoms: np.ndarray) -> None:
    drawn = sum(len(band.rows) for band in bands)
    skip = max(1, -(-drawn // MAX_POINTS))
    for band, height, bottom in zip(bands, heights, bottoms, strict=True):
        axes.scatter(
            band.times[::skip],
            bottom + height * (band.rows[::skip] + 0.5) / band.share,
            s=float(np.clip(4.0 * np.sqrt(1000.0 / max(drawn, 1)), 0.25, 4.0)),  # finer where they would touch
            c=band.colour,
            linewidths=0,
            rasterized=drawn > RASTERISE,
        )
    for bottom in bottoms[:-1]:
        axes.axhline(bottom, color="0.8", linewidth=0.6)
    axes.set_yticks(
        bottoms + heights / 2,
        [f"{b.name}\n{b.share:,} of {b.size:,}" if b.share < b.size else f"{b.name}\n{b.size:,}" for b in bands],
    )
    for tick, band in zip(axes.get_yticklabels(), bands, strict=True):
        tick.set_color(band.colour)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=False)


def _draw_means(axes: Any, bands: list[_Band], centres: np.ndarray, height: float, window_ms: float) -> None:
    rates = [band.total / (band.size * window_ms / 1000.0) for band in bands]
    axes.barh(centres, rates, height=0.5 * height, color=[band.colour for band in bands])
    for rate, centre in zip(rates, centres, strict=True):
        place = {"xytext": (3, 0), "textcoords": "offset points", "va": "center", "fontsize": 7}
        axes.annotate(f"{rate:.1f}" if rate >= 1 else f"{rate:.2g}", (rate, centre), **place)
    axes.set_xlim(0.0, 1.6 * max(rates) or 1.0)
    axes.set_title("mean rate (Hz)", fontsize=8)
    axes.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
    axes.spines["bottom"].set_visible(False)


def _bands(file: SpikeFile, max_neurons: int, edges: np.ndarray) -> list[_Band]:
    """Read the file once, piece by piece; only the spikes to be drawn are kept."""
    names = [name for name in file.sizes if name in file.populations]
    sizes = [file.sizes[name] or _highest_id(file.populations[name]) + 1 for name in names]
    bands = []
    for index, share in enumerate(_shares(sizes, max_neurons)):
        chosen = np.linspace(0, sizes[index] - 1, share).round().astype(np.int64)
        kept, rows, counts = [np.empty(0)], [np.empty(0, np.int64)], np.zeros(len(edges) - 1, np.int64)
        for _, times, ids in file.populations[names[index]].blocks():
            # A spike belongs to the end of its step, so a bin is open on the left and closed on the right;
            # step * dt may lie a rounding beyond the edge it stands for.
            bins = np.searchsorted(edges, times - 1e-6) - 1
            inside = (bins >= 0) & (bins < len(counts))
            counts += np.bincount(bins[inside], minlength=len(counts))
            place = np.minimum(np.searchsorted(chosen, ids), share - 1)
            shown = inside & (chosen[place] == ids)
            kept.append(times[shown])
            rows.append(place[shown])
        colour = COLOURS[index % len(COLOURS)]
        bands.append(
            _Band(names[index], sizes[index], share, colour, np.concatenate(kept), np.concatenate(rows), counts)
        )
    return bands


def _highest_id(train: Train) -> int:
    return max((int(ids.max()) for _, _, ids in train.blocks()), default=0)


def _end(file: SpikeFile) -> float:
    """The end of the run in ms, or of its last spike where the file does not tell."""
    if file.duration_ms:
        return file.duration_ms
    last = [float(times.max()) for train in file.populations.values() for _, times, _ in train.blocks()]
    return max(last, default=0.0) or 1.0


def _edges(file: SpikeFile, start: float, stop: float) -> np.ndarray:
    """Bins for the rates: 150 of them, or fewer where a population would have less than 3 spikes in each."""
    scarcest = min((train.count for train in file.populations.values() if train.count), default=0)
    expected = scarcest * min(1.0, (stop - start) / _end(file))
    width = _round((stop - start) / np.clip(expected / 3.0, 10.0, 150.0), file.dt or 0.1)
    return np.minimum(start + width * np.arange(np.ceil((stop - start) / width - 1e-9) + 1), stop)


def _round(width: float, dt: float) -> float:
    """The width nearest to `width` that reads well: 1, 2 or 5 times a power of ten, and not below `dt`."""
    scale = 10.0 ** np.floor(np.log10(width))
    near = min((scale * m for m in (1, 2, 5, 10)), key=lambda one: abs(np.log(one / width)))
    return float(max(near, dt))


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


def _save(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path, dpi=200)
    except ValueError:
        known = ", ".join(sorted(figure.canvas.get_supported_filetypes()))
        raise SpikesimError(f"{path}: a figure cannot be saved as {path.suffix!r}; use one of {known}.") from None
    except OSError as error:
        raise SpikesimError(f"{path} cannot be written ({os.strerror(error.errno or 5)}).") from None
