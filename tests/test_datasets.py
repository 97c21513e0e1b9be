"""The data are those that the packages ship, read in the right order, units and shapes."""

import numpy as np
import pytest

from rnncore import datasets
from rnncore.datasets import pad


@pytest.mark.parametrize(
    ("name", "steps", "first", "last", "mean"),
    [
        ("airline", 144, [112, 118, 132], 432, 280.298611),
        ("co2", 2284, [316.1, 317.3, 317.6], 371.5, 339.652496),
        ("sunspots", 309, [5, 11, 16], 2.9, 49.752104),
        ("temperatures", 8759, [4.111111, 4.0, 3.888889], 4.222222, 11.126682),
    ],
)
def test_series_is_as_published(name: str, steps: int, first: list[float], last: float, mean: float) -> None:
    series = getattr(datasets, name)()
    assert series.shape == (steps,)
    assert np.isfinite(series).all()
    np.testing.assert_allclose([*series[:3], series[-1], series.mean()], [*first, last, mean], rtol=0, atol=1e-6)


def test_missing_weeks_lie_on_a_line_between_their_neighbours() -> None:
    np.testing.assert_allclose(datasets.co2()[5:9], [316.9, 317.2, 317.5, 317.9], rtol=0, atol=1e-9)


def test_digits_are_images_of_their_labels() -> None:
    images, labels = datasets.digits()
    assert images.shape == (1797, 8, 8)
    assert (images.min(), images.max()) == (0, 1)
    assert labels[:10].tolist() == list(range(10))
    np.testing.assert_array_equal(images[0, 0] * 16, [0, 0, 5, 13, 9, 1, 0, 0])  # the top of a zero
    assert images[labels == 1].mean(0)[:, 3:5].sum() > images[labels == 0].mean(0)[:, 3:5].sum()


def test_vowels_have_their_frames_and_speakers() -> None:
    train, test = datasets.japanese_vowels()
    assert [len(train.sequences), len(test.sequences)] == [270, 370]
    assert np.bincount(train.labels).tolist() == 9 * [30]
    assert np.bincount(test.labels).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    lengths = [len(sequence) for sequence in train.sequences + test.sequences]
    assert (min(lengths), max(lengths)) == (7, 29)
    assert train.sequences[0].shape == (20, 12)
    np.testing.assert_array_equal(train.sequences[0][:2, :2], [[1.860936, -0.207383], [1.891651, -0.193249]])


def test_names_are_words_each_once() -> None:
    first, last = datasets.first_names(), datasets.surnames()
    assert (len(first), len(last)) == (5163, 88799)
    assert first == sorted(set(first))
    assert last[:3] == ["smith", "johnson", "williams"]
    assert {"mary", "james"} <= set(first)
    assert all(name.isalpha() and name.islower() for name in first + last)


def test_pad_puts_zeros_behind_the_ends() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(steps, 2)) for steps in (3, 5, 1)]
    xs, lengths = pad(sequences)
    assert xs.shape == (5, 3, 2)
    assert lengths.tolist() == [3, 5, 1]
    for n, sequence in enumerate(sequences):
        np.testing.assert_array_equal(xs[: len(sequence), n], sequence)
        assert not xs[len(sequence) :, n].any()


def test_nothing_to_pad_is_an_error() -> None:
    with pytest.raises(ValueError, match="pad: one sequence at least was wanted"):
        pad([])


def test_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> None:
        raise datasets.PackageNotFoundError(package)

    monkeypatch.setattr(datasets, "distribution", missing)
    with pytest.raises(
        FileNotFoundError,
        match=r"airline: the data come with package sktime, which is not installed: pip install 'rnncore",
    ):
        datasets.airline()
