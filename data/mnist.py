"""The MNIST digits, read from the four IDX files as they were published; see mnist_files/README.md."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

from spikesim.errors import SpikesimError, unknown

FOLDER = Path(__file__).parent / "mnist_files"
_STEMS = {"train": "train", "test": "t10k"}
_CURE = "copy the four MNIST files afresh, or leave `folder` out to use those that come with spikesim"


def load_mnist(split: str = "train", folder: str | os.PathLike[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of MNIST.

    Parameters
    ----------
    split
        "train" (60,000 images) or "test" (10,000).
    folder
        Where your own copies are, under the published names (`train-images-idx3-ubyte.gz`, ...); any number
        of images will do. By default the files that come with spikesim.

    Returns
    -------
    images
        uint8, shape (n, 28, 28), 0 is background and 255 full ink.
    labels
        uint8, shape (n,), the digits 0 to 9.

    Raises
    ------
    SpikesimError
        When a file is missing or broken; the message names it.
    """
    if split not in _STEMS:
        raise unknown("load_mnist", "split", str(split), _STEMS)
    place = FOLDER if folder is None else Path(folder)
    if not place.is_dir():
        raise SpikesimError(f"{place} is not a folder, so there is no MNIST in it; {_CURE}.")
    images_path = place / f"{_STEMS[split]}-images-idx3-ubyte.gz"
    labels_path = place / f"{_STEMS[split]}-labels-idx1-ubyte.gz"
    images, labels = _read_idx(images_path, 3), _read_idx(labels_path, 1)
    if images.shape[1:] != (28, 28):
        height, width = images.shape[1:]
        raise _broken(images_path, f"its images are {height} x {width} pixels, not 28 x 28")
    if len(images) != len(labels):
        raise _broken(labels_path, f"it has {len(labels)} labels for the {len(images)} of {images_path.name}")
    if len(labels) and labels.max() > 9:
        where = int(np.argmax(labels > 9))
        raise _broken(labels_path, f"label {where} is {labels[where]}, not a digit from 0 to 9")
    return images, labels


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """A gzipped IDX file: two zeros, 8 for uint8, the number of dimensions, each size, the data."""
    raw = _unpacked(path)
    header = 4 + 4 * dimensions
    magic = bytes((0, 0, 8, dimensions))
    if len(raw) < header:
        raise _broken(path, f"it holds {len(raw)} bytes, fewer than the {header} of its header")
    if raw[:4] != magic:
        raise _broken(path, f"it begins with {raw[:4].hex()}, where MNIST has {magic.hex()}")
    shape = tuple(int(size) for size in np.frombuffer(raw, ">u4", dimensions, offset=4))
    promised, held = math.prod(shape), len(raw) - header
    if held != promised:
        sizes = " x ".join(map(str, shape))
        raise _broken(path, f"its header promises {sizes} = {promised} bytes of data, and it holds {held}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape).copy()


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read()
    except FileNotFoundError:
        raise _broken(path, "it is missing") from None
    except EOFError:
        raise _broken(path, "it ends in the middle: the download or copy was not finished") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _broken(path, f"it is not a whole gzip file ({error})") from None
    except OSError as error:
        raise _broken(path, f"it cannot be read ({os.strerror(error.errno or 5)})") from None


def _broken(path: Path, why: str) -> SpikesimError:
    return SpikesimError(f"{path} cannot be used: {why}; {_CURE}.")
