"""Classifiers with a known fault, on which the findings of a diagnosis are measured and tested.

Every case draws log-odds t, and labels that are 1 with probability sigmoid(t) or classes with
probabilities softmax(t). Its logits have one fault of one strength. The seed determines the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import diagnosis_histories as histories
import numpy as np
from jaxtyping import Float, Int

from sweep.data.history import History

Drawn = Mapping[str, Any]
"""Arguments of `sweep.diagnose`."""

SIZES = (100, 1_000, 10_000, 100_000)
LARGER = (1_000, 10_000, 100_000)
SPREAD = 2.0  # default standard deviation of the log-odds: an accuracy of 0.81


@dataclass(frozen=True)
class Case:
    """One fault at one strength.

    Attributes:
        cause: code of the expected finding.
        strength: strength of the fault, in words.
        draw: (generator, n) -> arguments of `sweep.diagnose`.
        sizes: numbers of samples (or epochs) at which the fault must be found.
        also: codes of other findings that hold too.
    """

    cause: str
    strength: str
    draw: Callable[[np.random.Generator, int], Drawn]
    sizes: tuple[int, ...] = SIZES
    also: frozenset[str] = field(default_factory=frozenset)


Generator = np.random.Generator
Logits = Float[np.ndarray, " n"]
Labels = Int[np.ndarray, " n"]


def labels(rng: Generator, t: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Labels that are 1 with probability sigmoid(t)."""
    return (rng.random(len(t)) < 1 / (1 + np.exp(-t))).astype(np.int64)


def class_labels(rng: Generator, t: Float[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """Classes with probabilities softmax(t), by Gumbel's trick."""
    return np.argmax(t + rng.gumbel(size=t.shape), axis=1)


def all_cases() -> tuple[Case, ...]:
    """Every case, by cause."""
    return (
        *_healthy(),
        *_confidence(),
        *_shifts(),
        *_outliers(),
        *_signal(),
        *_degenerate(),
        *_learning(),
    )


def _binary(change: Callable[[Logits], Logits], spread: float = SPREAD, level: float = 0.0) -> Any:
    """Draws normal log-odds t and the logits change(t)."""

    def draw(rng: Generator, n: int) -> Drawn:
        t = rng.normal(level, spread, n)
        return {"y_true": labels(rng, t), "logits": change(t)}

    return draw


def _multiclass(k: int, factor: float, spread: float = SPREAD) -> Any:
    """Draws normal logits t of k classes and the logits factor * t."""

    def draw(rng: Generator, n: int) -> Drawn:
        t = rng.normal(0.0, spread, (n, k))
        return {"y_true": class_labels(rng, t), "logits": factor * t}

    return draw


def _healthy() -> Iterator[Case]:
    for spread, level in ((1.5, 0.0), (2.0, 0.0), (2.0, -1.0), (3.0, 0.0), (3.0, -2.0), (5.0, 1.0)):
        draw = _binary(lambda t: t, spread, level)
        yield Case("healthy", f"normal log-odds, mean {level:g}, spread {spread:g}", draw)
    yield Case("healthy", "log-odds of Student's t, 3 degrees", _student)
    yield Case("healthy", "log-odds uniform in -5..5", _uniform)
    yield Case("healthy", "two normal classes, a distance of 2 apart", _two_normal)
    yield Case("healthy", "unequal weights", _weighted)
    yield Case("healthy", "5 classes", _multiclass(5, 1.0))


def _student(rng: Generator, n: int) -> Drawn:
    t = 1.5 * rng.standard_t(3, n)
    return {"y_true": labels(rng, t), "logits": t}


def _uniform(rng: Generator, n: int) -> Drawn:
    t = rng.uniform(-5, 5, n)
    return {"y_true": labels(rng, t), "logits": t}


def _two_normal(rng: Generator, n: int) -> Drawn:
    y = rng.integers(0, 2, n)
    return {"y_true": y, "logits": 2 * rng.normal(2.0 * y - 1, 1.0)}


def _weighted(rng: Generator, n: int) -> Drawn:
    t = rng.normal(0.0, SPREAD, n)
    weight = rng.exponential(1.0, n)
    return {"y_true": labels(rng, t), "logits": t, "sample_weight": weight}


def _confidence() -> Iterator[Case]:
    few = frozenset({"few_samples_dominate"})
    for factor, sizes in ((1.5, LARGER), (2.0, (300, *LARGER)), (3.0, SIZES), (5.0, SIZES)):
        draw = _binary(lambda t, factor=factor: factor * t)
        yield Case("overconfident", f"logits {factor:g} times too large", draw, sizes, few)
    draw = _binary(lambda t: t * np.abs(t))
    yield Case("overconfident", "logits squared, their signs kept", draw, (300, *LARGER), few)
    yield Case("overconfident", "5 classes, 3 times", _multiclass(5, 3.0), SIZES, few)
    for factor, sizes in (
        (1.5, LARGER),
        (2.0, (300, *LARGER)),
        (3.0, (200, *LARGER)),
        (5.0, SIZES),
    ):
        draw = _binary(lambda t, factor=factor: t / factor)
        yield Case("underconfident", f"logits {factor:g} times too small", draw, sizes)
    yield Case(
        "underconfident", "trained on labels smoothed by 0.3", _binary(_smoothed), (300, *LARGER)
    )
    yield Case("underconfident", "5 classes, 3 times", _multiclass(5, 1 / 3), SIZES)
    for spread, sizes in ((1.0, (300, *LARGER)), (2.0, SIZES), (3.0, SIZES)):
        draw = _binary(lambda t: -t, spread)
        yield Case("sign_flipped", f"logits negated, spread {spread:g}", draw, sizes)


def _smoothed(t: Logits) -> Logits:
    """Logits of probabilities between 0.15 and 0.85."""
    p = 0.15 + 0.7 / (1 + np.exp(-t))
    return np.log(p) - np.log1p(-p)


def _shifts() -> Iterator[Case]:
    off = frozenset({"threshold_off", "imbalanced"})
    for shift, sizes in ((1.0, (300, *LARGER)), (-2.0, SIZES), (3.0, SIZES)):
        draw = _binary(lambda t, shift=shift: t + shift)
        yield Case("intercept_shifted", f"by {shift:g}", draw, sizes, off)
    draw = _binary(lambda t: t + np.log(9.0), SPREAD, -2.2)
    yield Case("intercept_shifted", "class weights 9 to 1 on a share of 18%", draw, SIZES, off)
    yield Case("intercept_shifted", "class 1 five times rarer than in training", _rarer, SIZES, off)
    shifted = frozenset({"intercept_shifted", "imbalanced"})
    for shift, sizes in ((1.5, LARGER), (2.0, (300, *LARGER)), (-3.0, SIZES)):
        draw = _binary(lambda t, shift=shift: t + shift)
        yield Case("threshold_off", f"0.5 misplaced by {shift:g}", draw, sizes, shifted)
    draw = _binary(lambda t: np.where(t > -2, t + 2, 3 * (t + 2)))
    also = shifted | {"overconfident", "underconfident"}
    yield Case("threshold_off", "misplaced by 2 and bent there", draw, (300, *LARGER), also)


def _rarer(rng: Generator, n: int) -> Drawn:
    t = rng.normal(0.0, SPREAD, 10 * n)
    y = labels(rng, t)
    kept = np.flatnonzero((y == 0) | (rng.random(10 * n) < 0.2))[:n]
    return {"y_true": y[kept], "logits": t[kept]}


def _outliers() -> Iterator[Case]:
    for share, size, sizes in (
        (0.01, 15.0, SIZES),
        (0.01, 50.0, SIZES),
        (0.02, 12.0, LARGER),
        (0.003, 100.0, LARGER),
    ):
        draw = _with_outliers(share, size)
        strength = f"{share:.1%} of the logits {size:g} the wrong way"
        yield Case("few_samples_dominate", strength, draw, sizes)
    yield Case(
        "few_samples_dominate", "one logit of 1000 the wrong way", _one_outlier, (30, 100, 1_000)
    )
    yield Case(
        "few_samples_dominate",
        "2% wrong labels of a confident classifier",
        _wrong_labels,
        LARGER,
        frozenset({"underconfident", "overconfident"}),
    )
    exact = frozenset({"few_samples_dominate", "overconfident"})
    yield Case(
        "exact_zero_one", "probabilities in half precision, logits 3 times", _rounded, SIZES, exact
    )
    yield Case("exact_zero_one", "votes of 5 trees", _votes, SIZES, exact)


def _with_outliers(share: float, size: float) -> Any:
    def draw(rng: Generator, n: int) -> Drawn:
        t = rng.normal(0.0, SPREAD, n)
        y = labels(rng, t)
        rows = rng.choice(n, max(1, round(share * n)), replace=False)
        t[rows] = np.where(y[rows] == 1, -size, size)
        return {"y_true": y, "logits": t}

    return draw


def _one_outlier(rng: Generator, n: int) -> Drawn:
    return _with_outliers(1e-9, 1000.0)(rng, n)


def _wrong_labels(rng: Generator, n: int) -> Drawn:
    t = rng.normal(0.0, 10.0, n)
    y = labels(rng, t)
    return {"y_true": np.where(rng.random(n) < 0.02, 1 - y, y), "logits": t}


def _rounded(rng: Generator, n: int) -> Drawn:
    t = rng.normal(0.0, SPREAD, n)
    p = (1 / (1 + np.exp(-3 * t))).astype(np.float16).astype(np.float64)
    return {"y_true": labels(rng, t), "probabilities": p}


def _votes(rng: Generator, n: int) -> Drawn:
    t = rng.normal(0.0, SPREAD, n)
    p = rng.binomial(5, 1 / (1 + np.exp(-2 * t))) / 5
    return {"y_true": labels(rng, t), "probabilities": p}


def _signal() -> Iterator[Case]:
    over = frozenset({"overconfident"})
    for spread in (0.1, 1.0, 3.0):
        draw = _noise(spread, 0.5)
        yield Case("chance_level", f"noise of spread {spread:g}", draw, SIZES, over)
    imbalanced = over | {"imbalanced"}
    yield Case("chance_level", "noise, a share of 20%", _noise(0.5, 0.2), SIZES, imbalanced)
    yield Case("chance_level", "rows and labels shuffled apart", _shuffled, SIZES, over)
    yield Case("chance_level", "10 classes, noise", _multiclass_noise, SIZES, over)
    for spread, sizes in ((0.4, (3_000, 10_000, 100_000)), (0.6, LARGER[1:])):
        draw = _binary(lambda t: t, spread)
        yield Case("refinement_limited", f"calibrated, spread {spread:g}", draw, sizes)
    for share, sizes in ((0.1, SIZES), (0.05, (300, *LARGER)), (0.02, LARGER)):
        draw = _binary(lambda t: t, 0.7, np.log(share))
        also = frozenset({"chance_level", "refinement_limited", "too_few_samples"})
        yield Case("imbalanced", f"a share of {share:.0%}, weak features", draw, sizes, also)


def _noise(spread: float, share: float) -> Any:
    def draw(rng: Generator, n: int) -> Drawn:
        level = np.log(share / (1 - share))
        y = (rng.random(n) < share).astype(np.int64)
        return {"y_true": y, "logits": rng.normal(level, spread, n)}

    return draw


def _shuffled(rng: Generator, n: int) -> Drawn:
    t = rng.normal(0.0, SPREAD, n)
    return {"y_true": rng.permutation(labels(rng, t)), "logits": t}


def _multiclass_noise(rng: Generator, n: int) -> Drawn:
    return {"y_true": rng.integers(0, 10, n), "logits": rng.normal(0.0, 1.0, (n, 10))}


def _degenerate() -> Iterator[Case]:
    chance = frozenset({"chance_level", "imbalanced", "underconfident", "overconfident"})
    for value in (0.0, 0.4, -5.0):
        yield Case(
            "constant_predictions", f"every logit {value:g}", _constant(value), SIZES, chance
        )
    draw = _binary(lambda t: 0.2 + 1e-4 * t)
    yield Case("constant_predictions", "logits 0.2 and hardly more", draw, SIZES, chance)
    wrong = frozenset({"overconfident", "few_samples_dominate"})
    draw = _binary(lambda t: np.where(t > 0, 30.0, -30.0))
    yield Case("constant_predictions", "saturated at 30 either way", draw, SIZES, wrong)
    under = frozenset({"underconfident"})
    for gap in (0.1, 3.0):
        yield Case("separable", f"a gap of {gap:g}", _separated(gap), SIZES, under)
    for n in (12, 30, 45):
        unsure = frozenset({"separable", "chance_level"})
        yield Case("too_few_samples", f"n = {n}", _binary(lambda t: t), (n,), unsure)
    also = frozenset({"imbalanced", "chance_level", "separable"})
    yield Case("too_few_samples", "3 samples of class 1", _three, (200, 1_000), also)


def _constant(value: float) -> Any:
    def draw(rng: Generator, n: int) -> Drawn:
        return {"y_true": rng.permutation(np.arange(n) % 2), "logits": np.full(n, value)}

    return draw


def _separated(gap: float) -> Any:
    def draw(rng: Generator, n: int) -> Drawn:
        y = rng.permutation(np.arange(n) % 2)
        return {"y_true": y, "logits": (2 * y - 1) * (gap / 2 + rng.exponential(2.0, n))}

    return draw


def _three(rng: Generator, n: int) -> Drawn:
    y = rng.permutation((np.arange(n) < 3).astype(np.int64))
    return {"y_true": y, "logits": rng.normal(np.log(3 / n) + 1.0 * y, 1.0)}


# --- training -----------------------------------------------------------------------------------

EPOCHS = (20, 50, 200)
"""Lengths of histories; each comes with a healthy classifier of 1000 samples."""


def _learning() -> Iterator[Case]:
    yield Case("healthy", "a history that converges", _trained(histories.healthy), EPOCHS)
    up = frozenset({"loss_up_accuracy_up"})
    for strength in (0.1, 0.3, 1.0):
        draw = _trained(lambda rng, m, s=strength: histories.overfitted(rng, m, s)[0])
        yield Case("overfitting", f"validation loss rises by {strength:.0%}", draw, EPOCHS, up)
    over = frozenset({"overfitting"})
    for strength in (0.1, 0.3, 1.0):
        draw = _trained(lambda rng, m, s=strength: histories.overfitted(rng, m, s, 0.03)[0])
        text = f"validation loss rises by {strength:.0%}, accuracy too"
        yield Case("loss_up_accuracy_up", text, draw, EPOCHS, over)
    for strength in (0.3, 1.0, 3.0):
        draw = _trained(lambda rng, m, s=strength: histories.rising(rng, m, s))
        yield Case("diverging", f"training loss rises by {strength:.0%}", draw, EPOCHS, over)
    for strength in (0.5, 1.0):
        draw = _trained(lambda rng, m, s=strength: histories.oscillating(rng, m, s))
        yield Case("diverging", f"training loss swings by {strength:.0%}", draw, EPOCHS, over)
    for drop, size in ((0.0, 0.01), (0.01, 0.003), (0.0, 0.03)):
        draw = _trained(lambda rng, m, d=drop, s=size: histories.stuck(rng, m, d, s))
        text = f"training loss falls by {drop:.0%}, noise of {size:.1%}"
        yield Case("plateau", text, draw, EPOCHS)


def _trained(history: Callable[[np.random.Generator, int], History]) -> Any:
    def draw(rng: Generator, epochs: int) -> Drawn:
        t = rng.normal(0.0, SPREAD, 1_000)
        return {"y_true": labels(rng, t), "logits": t, "history": history(rng, epochs)}

    return draw
