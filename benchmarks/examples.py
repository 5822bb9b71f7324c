"""Diagnoses of real classifiers on the data sets of scikit-learn: findings and figures.

Every logit is of a sample that its classifier was not fitted to: five stratified folds, shuffled
with a seed. The fault of each classifier is known, so that the findings can be judged.

    python benchmarks/examples.py [--out figures] [--force] [--only NAME ...] [--replicates 1000]
"""

import argparse
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sweep
from sweep import figures
from sweep.base.files import require_free
from sweep.base.tables import text

SEED = 0  # of the folds, the subsample and the changed labels
WEAK = ("mean texture", "mean smoothness", "mean symmetry")  # features that predict only roughly
MALIGNANT, BENIGN = 0, 1  # targets of `load_breast_cancer`
FEW = 60  # malignant samples in the imbalanced subsample, beside 357 benign ones
WRONG = 3  # labels that are changed

Arguments = dict[str, Any]
"""Arguments of `sweep.diagnose`."""


@dataclass(frozen=True)
class Example:
    """One classifier.

    Attributes:
        description: the classifier and its known fault.
        arguments: makes the arguments of `sweep.diagnose`.
    """

    description: str
    arguments: Callable[[], Arguments]


def breast_cancer() -> Any:
    """569 samples of thirty features, benign or malignant."""
    return load_breast_cancer()


def validation_logits(classifier: Any, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log-probabilities of each class for each sample, shape (n, k), from folds without it."""
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # log(0) is -inf
        logits = cross_val_predict(classifier, X, y, cv=folds, method="predict_log_proba")
    return np.asarray(logits)


def logistic_regression(**options: Any) -> Any:
    """Logistic regression of standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, **options))


def naive_bayes() -> Arguments:
    """Gaussian naive Bayes, which takes thirty correlated features for independent."""
    bunch = breast_cancer()
    return named(validation_logits(GaussianNB(), bunch.data, bunch.target), bunch.target)


def regularised() -> Arguments:
    """Logistic regression on the same folds."""
    bunch = breast_cancer()
    return named(validation_logits(logistic_regression(), bunch.data, bunch.target), bunch.target)


def class_weights() -> Arguments:
    """Rare malignant samples, each with the weight of six benign ones in the fit."""
    bunch = breast_cancer()
    malignant = np.flatnonzero(bunch.target == MALIGNANT)
    few = np.random.default_rng(SEED).choice(malignant, FEW, replace=False)
    rows = np.sort(np.concatenate([few, np.flatnonzero(bunch.target == BENIGN)]))
    weak = np.isin(bunch.feature_names, WEAK)
    X, y = bunch.data[rows][:, weak], bunch.target[rows]
    return named(validation_logits(logistic_regression(class_weight="balanced"), X, y), y)


def wrong_labels() -> Arguments:
    """The logits of logistic regression, with some labels changed."""
    arguments = regularised()
    logits, y = arguments["logits"], arguments["y_true"].copy()
    sure = np.flatnonzero(np.abs(logits[:, 1] - logits[:, 0]) > 8)
    wrong = np.random.default_rng(SEED).choice(sure, WRONG, replace=False)
    first, second = arguments["classes"]
    y[wrong] = np.where(y[wrong] == first, second, first)
    print(f"labels made wrong: rows {', '.join(map(str, np.sort(wrong)))}, counted from 0")
    return arguments | {"y_true": y}


def named(logits: np.ndarray, y: np.ndarray) -> Arguments:
    """Arguments for breast cancer, malignant being class 1."""
    names = breast_cancer().target_names
    return {
        "y_true": names[y],
        "logits": logits,
        "classes": [str(name) for name in names],
        "pos_label": str(names[MALIGNANT]),
    }


def digits() -> Arguments:
    """Gaussian naive Bayes of ten digits, 64 pixels each."""
    bunch: Any = load_digits()
    # Pixels that are always white have variance 0; smoothing keeps it positive.
    classifier = GaussianNB(var_smoothing=1e-3)
    logits = validation_logits(classifier, bunch.data, bunch.target)
    return {"y_true": bunch.target, "logits": logits}


EXAMPLES = {
    "naive_bayes": Example("GaussianNB on breast cancer: known to be overconfident", naive_bayes),
    "logistic_regression": Example(
        "LogisticRegression on breast cancer: fitted to the loss that is diagnosed", regularised
    ),
    "class_weights": Example(
        "LogisticRegression(class_weight='balanced') where 60 of 417 are malignant: its intercept "
        "is right for classes of equal size",
        class_weights,
    ),
    "wrong_labels": Example(
        "LogisticRegression on breast cancer, three labels made wrong", wrong_labels
    ),
    "digits": Example("GaussianNB on ten digits: known to be overconfident", digits),
}


def run(names: Sequence[str], out: Path | None, replicates: int, *, force: bool) -> None:
    """Diagnoses each example, prints its findings, and writes its figure into `out`."""
    paths = {name: out / f"diagnose_{name}.png" for name in names} if out is not None else {}
    for path in paths.values():
        require_free(path, force=force)
    for name in names:
        print(f"\n{textwrap.fill(EXAMPLES[name].description, 80)}")
        diagnosis = sweep.diagnose(**EXAMPLES[name].arguments(), replicates=replicates)
        print(text(diagnosis.tables()))
        if name in paths:
            figures.write(figures.diagnosis(diagnosis), paths[name], force=force)


def main() -> None:
    """Parses the command line and runs the examples."""
    parser = argparse.ArgumentParser(description="Diagnoses of real classifiers.")
    parser.add_argument("--out", type=Path, help="write the figures to this directory")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument("--only", nargs="+", choices=EXAMPLES, help="only these examples")
    parser.add_argument("--replicates", type=int, default=1000, help="bootstrap samples")
    args = parser.parse_args()
    try:
        run(args.only or list(EXAMPLES), args.out, args.replicates, force=args.force)
    except sweep.InputError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
