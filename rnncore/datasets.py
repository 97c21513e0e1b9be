"""Real sequences, read from files that packages on PyPI ship: nothing is downloaded when a loader runs.

The packages come with `pip install rnncore[data]`; they are not imported, only their files are read.
"""

import csv
import gzip
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = [
    "Utterances",
    "airline",
    "co2",
    "digits",
    "first_names",
    "japanese_vowels",
    "pad",
    "sunspots",
    "surnames",
    "temperatures",
]


class Utterances(NamedTuple):
    """Sequences of different lengths with one label each.

    Attributes:
        sequences: arrays (T_n, D), float64.
        labels: (N,) whole numbers from 0.
    """

    sequences: list[np.ndarray]
    labels: np.ndarray


def airline() -> np.ndarray:
    """Passengers of international airlines, thousands a month, January 1949 to December 1960: (144,).

    From sktime. G. E. P. Box, G. M. Jenkins, Time Series Analysis: Forecasting and Control, 1976, series G.
    """
    return _column("airline", "sktime", "sktime/datasets/data/Airline/Airline.csv")


def co2() -> np.ndarray:
    """Carbon dioxide over Mauna Loa, parts per million, weekly from 29 March 1958 to 29 December 2001: (2284,).

    59 weeks are missing in the file; they are filled along a straight line between their neighbours.
    From statsmodels. C. D. Keeling, T. P. Whorf, Scripps Institution of Oceanography, 2004.
    """
    weeks = _column("co2", "statsmodels", "statsmodels/datasets/co2/co2.csv")
    known = np.isfinite(weeks)
    weeks[~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), weeks[known])
    return weeks


def sunspots() -> np.ndarray:
    """Mean number of sunspots, yearly from 1700 to 2008: (309,).

    From statsmodels. Royal Observatory of Belgium, SILSO (series of version 1).
    """
    return _column("sunspots", "statsmodels", "statsmodels/datasets/sunspots/sunspots.csv")


def temperatures() -> np.ndarray:
    """Temperature in Seattle, °C, for each hour of a year from 1 January on: (8759,).

    The hours are those of a normal year: each is the mean of that hour over many years, so that the weather of single
    days is gone and the course of day and year remains. One hour, of the change to summer time, is missing.
    From vega_datasets. National Oceanic and Atmospheric Administration, normals of 1981 to 2010.
    """
    fahrenheit = _column("temperatures", "vega_datasets", "vega_datasets/_data/seattle-temps.csv")
    return (fahrenheit - 32) / 1.8


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits: images (1797, 8, 8), rows from the top, grey values 0 to 1; labels (1797,) 0 to 9.

    From scikit-learn. E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, 1998 (its test part).
    """
    with gzip.open(_path("digits", "scikit-learn", "sklearn/datasets/data/digits.csv.gz"), "rt") as file:
        rows = np.loadtxt(file, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8) / 16, rows[:, -1].astype(int)


def japanese_vowels() -> tuple[Utterances, Utterances]:
    """Two vowels, spoken by nine men: 270 utterances to learn from and 370 to be tested on; who speaks is the label.

    Each sequence is (T_n, 12), 7 to 29 frames of 12 cepstral coefficients; labels are 0 to 8.
    From sktime. M. Kudo, J. Toyama, M. Shimbo, Multidimensional curve classification using passing-through regions,
    Pattern Recognition Letters 20, 1999.
    """
    return _vowels("TRAIN"), _vowels("TEST")


def first_names() -> list[str]:
    """5,163 first names of the United States' census of 1990, in lower case, each once, in alphabetical order.

    From names.
    """
    return sorted({*_names("first_names", "dist.female.first"), *_names("first_names", "dist.male.first")})


def surnames() -> list[str]:
    """88,799 surnames of the United States' census of 1990, in lower case, the most frequent first.

    From names.
    """
    return _names("surnames", "dist.all.last")


def pad(sequences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (T_n, D) side by side: xs (T, B, D) with T the longest and zeros at the ends, lengths (B,)."""
    if not sequences:
        raise ValueError("pad: one sequence at least was wanted, received none")
    lengths = np.array([len(sequence) for sequence in sequences])
    xs = np.zeros((lengths.max(), len(sequences), *sequences[0].shape[1:]), sequences[0].dtype)
    for n, sequence in enumerate(sequences):
        xs[: len(sequence), n] = sequence
    return xs, lengths


def _path(operation: str, package: str, file: str) -> Path:
    try:
        path = Path(str(distribution(package).locate_file(file)))
    except PackageNotFoundError:
        raise FileNotFoundError(
            f"{operation}: the data come with package {package}, which is not installed: pip install 'rnncore[data]'"
        ) from None
    if not path.is_file():
        raise FileNotFoundError(f"{operation}: this version of the package {package} has no file {file}")
    return path


def _column(operation: str, package: str, file: str) -> np.ndarray:
    """The second column of a CSV file with a header; nan where it is empty."""
    rows: np.ndarray = np.genfromtxt(_path(operation, package, file), float, delimiter=",", skip_header=1, usecols=[1])
    return rows


def _vowels(part: str) -> Utterances:
    """A file of sktime's: after @data one utterance a line, its dimensions and its label set apart by colons."""
    path = _path("japanese_vowels", "sktime", f"sktime/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts")
    lines = path.read_text(encoding="utf-8").partition("@data\n")[2].splitlines()
    rows = [line.split(":") for line in lines]
    sequences = [np.array([dimension.split(",") for dimension in dimensions], float).T for *dimensions, _ in rows]
    return Utterances(sequences, np.array([int(label) - 1 for *_, label in rows]))


def _names(operation: str, file: str) -> list[str]:
    """The first word of each line."""
    with open(_path(operation, "names", f"names/{file}"), encoding="utf-8", newline="") as lines:
        return [row[0].lower() for row in csv.reader(lines, delimiter=" ")]
