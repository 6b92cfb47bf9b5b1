"""The digits that come with spikesim are the published ones, and a broken copy is named."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct

import numpy as np
import pytest

from spikesim.data.mnist import FOLDER, load_mnist
from spikesim.errors import SpikesimError

# Of the unpacked files, as they have been published since 1998.
MD5 = {
    "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ("train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("test", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ],
)
def test_shapes_and_counts(split, counts):
    images, labels = load_mnist(split)
    assert images.shape == (sum(counts), 28, 28)
    assert images.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(labels), counts)
    assert (images.min(), images.max()) == (0, 255)
    assert images[:, 0, 0].max() == 0  # paper is 0, not 255
    images[0] = labels[0] = 1  # the arrays are the caller's own


def test_first_digits():
    assert load_mnist("train")[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert load_mnist("test")[1][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


@pytest.mark.parametrize("name", MD5)
def test_shipped_files(name):
    packed = (FOLDER / name).read_bytes()
    unpacked = gzip.decompress(packed)
    assert hashlib.md5(unpacked).hexdigest() == MD5[name]
    row = next(line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith(f"| {name}"))
    stated = re.findall(r"[0-9a-f]{64}", row)
    assert stated == [hashlib.sha256(packed).hexdigest(), hashlib.sha256(unpacked).hexdigest()]
    assert "CC BY-SA 3.0" in (FOLDER / "README.md").read_text()


IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def images_file(n: int = 3, side: int = 28, promised: int | None = None, magic: int = 0x0803) -> bytes:
    header = struct.pack(">4I", magic, n if promised is None else promised, side, side)
    return header + bytes(range(256)) * 0 + bytes(i % 256 for i in range(n * side * side))


def labels_file(labels: tuple[int, ...] = (5, 0, 4), magic: int = 0x0801, promised: int | None = None) -> bytes:
    return struct.pack(">2I", magic, len(labels) if promised is None else promised) + bytes(labels)


@pytest.fixture
def own(tmp_path):
    (tmp_path / IMAGES).write_bytes(gzip.compress(images_file()))
    (tmp_path / LABELS).write_bytes(gzip.compress(labels_file()))
    return tmp_path


def test_own_copies(own):
    images, labels = load_mnist("train", folder=own)
    assert images.shape == (3, 28, 28)
    assert images[0, 0, :4].tolist() == [0, 1, 2, 3]
    assert images[1, 0, 0] == 784 % 256
    assert labels.tolist() == [5, 0, 4]


def packed(raw: bytes) -> bytes:
    return gzip.compress(raw)


BROKEN = {
    "not gzip": (IMAGES, images_file(), "not a whole gzip file"),
    "empty": (IMAGES, b"", "0 bytes, fewer than the 16 of its header"),
    "gzip cut short": (IMAGES, packed(images_file())[:-20], "ends in the middle"),
    "gzip header only": (LABELS, packed(labels_file())[:9], "ends in the middle"),
    "gzip damaged": (LABELS, packed(labels_file())[:-8] + b"\0" * 8, "not a whole gzip file"),
    "gzip stream damaged": (IMAGES, packed(images_file())[:10] + b"\xff" * 40, "not a whole gzip file"),
    "labels as images": (
        IMAGES,
        packed(labels_file((1,) * 50)),
        "begins with 00000801, where MNIST has 00000803",
    ),
    "images as labels": (LABELS, packed(images_file()), "begins with 00000803, where MNIST has 00000801"),
    "float data": (IMAGES, packed(images_file(magic=0x0D03)), "begins with 00000d03"),
    "header cut": (LABELS, packed(labels_file()[:6]), "6 bytes, fewer than the 8"),
    "fewer images than promised": (
        IMAGES,
        packed(images_file(promised=4)),
        "promises 4 x 28 x 28 = 3136 bytes",
    ),
    "more images than promised": (
        IMAGES,
        packed(images_file(promised=2)),
        "promises 2 x 28 x 28 = 1568 bytes",
    ),
    "absurd count": (IMAGES, packed(images_file(promised=2**32 - 1)), "promises 4294967295 x 28 x 28"),
    "fewer labels than promised": (LABELS, packed(labels_file(promised=9)), "promises 9 = 9 bytes"),
    "other size of image": (IMAGES, packed(images_file(side=32)), "32 x 32 pixels, not 28 x 28"),
    "one label too few": (LABELS, packed(labels_file((1, 2))), "2 labels for the 3 of train-images"),
    "no digit": (LABELS, packed(labels_file((1, 10, 3))), "label 1 is 10, not a digit from 0 to 9"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files(own, case):
    name, content, wanted = BROKEN[case]
    (own / name).write_bytes(content)
    with pytest.raises(SpikesimError) as error:
        load_mnist("train", folder=own)
    text = str(error.value)
    assert str(own / name) in text
    assert wanted in text
    assert "copy the four MNIST files afresh" in text
    assert "\n" not in text


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_missing_files(own, name):
    (own / name).unlink()
    with pytest.raises(SpikesimError, match=f"{name} cannot be used: it is missing"):
        load_mnist("train", folder=own)
    (own / name).mkdir()
    with pytest.raises(SpikesimError, match=f"{name} cannot be used: it cannot be read"):
        load_mnist("train", folder=own)


def test_wrong_folder_and_split(tmp_path):
    with pytest.raises(SpikesimError, match="is not a folder"):
        load_mnist("train", folder=tmp_path / "nowhere")
    with pytest.raises(SpikesimError, match="did you mean 'train'"):
        load_mnist("training")
