"""The digits that are shipped, and how they are split."""

from importlib.resources import files

import numpy as np

from softops.cli.demo.digits import load_digits, split_digits


def test_the_set_is_the_published_one():
    digits = load_digits()
    assert digits.images.shape == (1797, 8, 8)
    assert digits.images.dtype == np.uint8
    assert (digits.images.min(), digits.images.max()) == (0, 16)
    # The number of images of each digit, as published with the original set.
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # The first line of the original file: a zero.
    assert digits.labels[0] == 0
    assert digits.images[0, :2].tolist() == [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]


def test_the_source_and_its_licence_are_shipped_with_it():
    text = (files("softops.cli") / "data" / "ATTRIBUTION.txt").read_text("utf-8")
    for needed in ("E. Alpaydin", "C. Kaynak", "10.24432/C50P49", "CC BY 4.0", "Changed"):
        assert needed in text


def test_features_are_the_pixels_of_an_image_in_rows():
    digits = load_digits()
    assert digits.features.shape == (1797, 64)
    assert digits.features.dtype == np.float32
    np.testing.assert_array_equal(digits.features[5, 8:16], digits.images[5, 1])


def test_the_split_keeps_every_class_in_proportion_and_every_image_once():
    digits = load_digits()
    train, test = split_digits(digits, held_out=0.25)
    counts = np.bincount(digits.labels)
    np.testing.assert_array_equal(np.bincount(test.labels), np.round(counts * 0.25))
    both = np.concatenate([train.images, test.images]).reshape(-1, 64)
    order, expected = np.lexsort(both.T), np.lexsort(digits.images.reshape(-1, 64).T)
    np.testing.assert_array_equal(both[order], digits.images.reshape(-1, 64)[expected])


def test_the_split_is_chosen_by_the_seed():
    digits = load_digits()
    first, again, other = (split_digits(digits, seed=seed)[1].images for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
