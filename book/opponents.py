"""Simple opponents of a network: linear models on features that need no recurrence.

A network has shown something only where it is better than the best of these. Their one setting, the strength of the
penalty, is chosen by cross-validation on the data that they learn from.
"""

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = ["means", "softmax_regression", "thirds"]


def means(xs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Of sequences xs (T, N, D) the mean over the steps of each, (N, D): without any order."""
    return np.array([xs[:length, n].mean(axis=0) for n, length in enumerate(lengths)])


def thirds(xs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The means over the first, the middle and the last third of each sequence, (N, 3 D)."""
    pieces = [np.array_split(xs[:length, n], 3) for n, length in enumerate(lengths)]
    return np.array([np.concatenate([piece.mean(axis=0) for piece in three]) for three in pieces])


def softmax_regression(features: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The classes of new features (M, F), by softmax regression on features (N, F) and their labels (N,)."""
    model = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=np.logspace(-2, 2, 5),
            cv=5,
            l1_ratios=(0,),
            max_iter=5000,
            scoring="neg_log_loss",
            use_legacy_attributes=False,
        ),
    )
    return np.asarray(model.fit(features, labels).predict(new))
