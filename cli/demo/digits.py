"""The handwritten digits of the demonstration (see data/ATTRIBUTION.txt)."""

from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PIXEL_MAX = 16


class Digits(NamedTuple):
    """Images (n, 8, 8) of uint8 counts from 0 to 16, and the digit each one shows (n,), int64."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    @property
    def features(self) -> NDArray[np.float32]:
        """The pixels of each image as one row (n, 64), float32, from 0 to 16."""
        return self.images.reshape(len(self.images), -1).astype(np.float32)


def load_digits() -> Digits:
    """Return all 1797 digits in the order of the original set."""
    with (files("softops.cli") / "data" / "digits.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        return Digits(arrays["images"], arrays["labels"].astype(np.int64))


def split_digits(digits: Digits, held_out: float = 0.25, seed: int = 0) -> tuple[Digits, Digits]:
    """Split into a training and a held-out part, every class in the same proportion.

    Parameters
    ----------
    digits
        What to split.
    held_out
        The share of each class that is kept out of training, rounded to whole images.
    seed
        Chooses which images; the same seed gives the same split.
    """
    random = np.random.default_rng(seed)
    kept_out = np.zeros(len(digits.labels), bool)
    for label in np.unique(digits.labels):
        members = random.permutation(np.flatnonzero(digits.labels == label))
        kept_out[members[: round(held_out * len(members))]] = True
    train, test = (Digits(digits.images[part], digits.labels[part]) for part in (~kept_out, kept_out))
    return train, test
