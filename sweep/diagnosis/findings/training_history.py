"""What a training history tells: overfitting, divergence, a plateau.

Losses by epoch are noisy, so nothing is read off single epochs. A curve is smoothed by running
medians, and what it rises or falls is held against the noise of such a median. The noise of epochs
is what second differences say, which a trend does not touch (by their median, which outliers do not
touch), and what the best curve that falls and then rises leaves; where neighbouring epochs are
alike, blocks of epochs say more. A change counts if it is far beyond the noise, and large enough to
matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

from sweep.data.history import History
from sweep.diagnosis.report import Finding

FEWEST = 5
"""Epochs below which noise and trend cannot be told apart."""

FEWEST_FALLING_THEN_RISING = 8
"""Epochs below which noise alone may well fall and then rise without an exception."""

WINDOWS = 20
"""Windows of a running median that a history has room for."""

WIDEST = 101
"""Epochs in a window at most."""

DEVIATION = 0.6745
"""Median absolute value of the standard normal distribution."""

EFFICIENCY = 0.8
"""Standard error of a mean over that of a median, where noise is normal."""

RISE = 0.02
"""Least rise of a validation loss that counts, as a fraction of its minimum."""

FALL = 0.002, 0.02
"""Fall of an accuracy that is none, and the largest that noise may hide, as fractions."""

BACK = 0.1
"""Least rise of a training loss that is divergence, as a fraction of what it had fallen."""

ABOVE = 0.05
"""The same as a fraction of its best."""

SWING = 0.15
"""Median change from epoch to epoch that is oscillation, as a fraction of the first loss."""

REGULAR_SWING = 0.1, 0.9
"""The same where that share of the changes alternate in sign; of noise, two thirds do."""

STILL = 0.03, 0.1
"""Fall of a training loss that is none, and the largest that noise may hide, as fractions."""

LEARNED = 0.06
"""How far below the chance level a loss is that was learned, as a fraction of that level."""

AT_CHANCE = 0.02
"""How near to the chance level a stalled loss is, as a fraction of that level."""


def learning_findings(history: History, chance: float | None = None) -> tuple[Finding, ...]:
    """What is the matter with a training history; nothing for fewer than five epochs.

    Args:
        history: losses and accuracies by epoch.
        chance: loss of predicting the shares of the classes, in nats, if it is known.

    Returns:
        Findings of the codes diverging, overfitting, loss_up_accuracy_up and plateau.
    """
    if len(history.epochs) < FEWEST:
        return ()
    epochs, training = history.epochs.astype(np.float64), Curve(history.loss)
    found = [_diverging(epochs, training) or _plateau(epochs, training, chance)]
    if history.val_loss is not None:
        validation = Curve(history.val_loss)
        accuracy = None if history.val_acc is None else Curve(history.val_acc)
        if validation.rise > max(RISE * abs(validation.lowest), validation.doubt):
            found.append(_overfitting(epochs, training, validation, accuracy))
            found.append(_up_and_up(epochs, validation, accuracy))
    return tuple(finding for finding in found if finding is not None)


@dataclass(frozen=True, eq=False)
class Curve:
    """A loss or an accuracy by epoch, at least `FEWEST` of them.

    Attributes:
        values: as recorded, shape (m,).
    """

    values: Float[np.ndarray, " m"]

    @property
    def window(self) -> int:
        """Epochs of a running median, an odd number."""
        return min(WIDEST, 2 * (len(self.values) // (2 * WINDOWS)) + 1)

    @cached_property
    def levels(self) -> Float[np.ndarray, " m"]:
        """Running medians, of fewer epochs at the ends."""
        half, v = self.window // 2, self.values
        found = np.empty(len(v))
        found[half : len(v) - half] = np.median(sliding_window_view(v, self.window), axis=1)
        for i in range(half):
            found[i] = np.median(v[: i + half + 1])
            found[-1 - i] = np.median(v[-1 - i - half :])
        return found

    @property
    def last(self) -> int:
        """How many epochs are the end: a single bad one is none."""
        return max(3, self.window)

    @property
    def end(self) -> float:
        """Level of the last epochs."""
        return float(np.median(self.values[-self.last :]))

    @cached_property
    def minimum(self) -> int:
        """Index of the lowest epoch where the level is lowest, before the end."""
        middle = int(np.argmin(self.levels[: -self.last]))
        first = max(0, middle - self.window // 2)
        return first + int(np.argmin(self.values[first : middle + self.window // 2 + 1]))

    @property
    def lowest(self) -> float:
        """The lowest level before the end."""
        return float(np.min(self.levels[: -self.last]))

    @property
    def rise(self) -> float:
        """From the lowest level to the end."""
        return self.end - self.lowest

    @cached_property
    def error(self) -> float:
        """Standard error of a difference of two levels, by second differences."""
        v = self.values
        return self._of_levels(max(_noise(v), _noise(v[len(v) // 2 :])))

    @cached_property
    def doubt(self) -> float:
        """Rise from the lowest level that noise alone makes in less than one of 200 histories.

        More errors than a normal difference needs: the lowest of many levels is low by chance, and
        of few epochs the noise itself is hardly known. Simulations of curves that are nothing but
        noise, white or with neighbours alike, set these numbers.
        """
        m = len(self.values)
        alone = (4.5 + 20 / m) * self.error
        if m < FEWEST_FALLING_THEN_RISING:
            return 2 * alone
        about = self._of_levels(float(np.sqrt(np.mean(self._residuals**2))))
        return min(alone, max(min(3.5, m / 6) * self.error, 4.5 * (1 + (12 / m) ** 4) * about))

    @property
    def _residuals(self) -> Float[np.ndarray, " m"]:
        """What is left by the best curve that falls to the minimum and then rises."""
        from scipy.optimize import isotonic_regression

        before, after = np.split(self.values, [self.minimum])
        falling = isotonic_regression(before, increasing=False).x if len(before) else before
        return np.concatenate([before - falling, after - isotonic_regression(after).x])

    def _of_levels(self, noise: float) -> float:
        """Standard error of a difference of two levels, by the noise of an epoch."""
        v, w = self.values, self.window
        blocks = np.median(v[len(v) % w :].reshape(-1, w), axis=1) if w > 1 else v[:0]
        return 2**0.5 * max(noise / (EFFICIENCY * w**0.5), _noise(blocks))


def _noise(values: Float[np.ndarray, " m"]) -> float:
    """Standard deviation of the values about a smooth curve; 0 for too few of them."""
    if len(values) < FEWEST:
        return 0.0
    return float(np.median(np.abs(np.diff(values, 2)))) / (DEVIATION * 6**0.5)


# --- the validation loss ------------------------------------------------------------------------


def _overfitting(
    epochs: Float[np.ndarray, " m"], training: Curve, validation: Curve, accuracy: Curve | None
) -> Finding | None:
    """A validation loss that is known to rise, while the training loss does not."""
    at = validation.minimum
    if training.end > training.levels[at] + training.error:
        return None
    epoch, saved = epochs[at], validation.rise
    gained = None if accuracy is None else float(accuracy.levels[at]) - accuracy.end
    sentence = (
        f"Overfitting: the validation loss is least at epoch {epoch:g} ({validation.lowest:.4g} "
        f"nats) and rises to {validation.end:.4g} at the end, while the training loss goes on from "
        f"{training.levels[at]:.4g} to {training.end:.4g}."
    )
    advice = (
        f"Stop at epoch {epoch:g}, which saves {saved:.3g} nats{_in_accuracy(gained)}; "
        "or regularise, or train on more data."
    )
    numbers = {
        "epoch": int(epoch),
        "validation_loss_there": validation.lowest,
        "validation_loss_at_end": validation.end,
        "saved_nats": saved,
        "saved_accuracy": gained,
        "training_loss_there": float(training.levels[at]),
        "training_loss_at_end": training.end,
    }
    return Finding("overfitting", "warning", sentence, advice, numbers)


def _in_accuracy(gained: float | None) -> str:
    """What stopping early does to the accuracy, to be said after what it saves in nats."""
    if gained is None:
        return ""
    verb = "gains" if gained >= 0 else "costs"
    return f" and {verb} {100 * abs(gained):.2g} percentage points of accuracy"


def _up_and_up(
    epochs: Float[np.ndarray, " m"], validation: Curve, accuracy: Curve | None
) -> Finding | None:
    """A validation loss that is known to rise, while the accuracy does not fall."""
    if accuracy is None:
        return None
    at = validation.minimum
    gain = accuracy.end - float(accuracy.levels[at])
    if -gain > min(FALL[1], max(FALL[0], 2 * accuracy.error)):
        return None
    sure = gain > max(FALL[0], 2 * accuracy.error)
    course = "rises" if sure else "stays"
    sentence = (
        f"Loss up, accuracy {'up' if sure else 'level'}: from epoch {epochs[at]:g} to the end the "
        f"validation loss rises from {validation.lowest:.4g} to {validation.end:.4g} nats, while "
        f"the validation accuracy {course}, {accuracy.levels[at]:.4g} to {accuracy.end:.4g}."
    )
    advice = (
        "The predictions grow more confident than they are right: keep the weights of the end for "
        "their accuracy and recalibrate them (temperature scaling), or stop early for the loss."
    )
    numbers = {
        "epoch": int(epochs[at]),
        "validation_loss_rise": validation.rise,
        "validation_accuracy_there": float(accuracy.levels[at]),
        "validation_accuracy_at_end": accuracy.end,
        "validation_accuracy_gain": gain,
    }
    return Finding("loss_up_accuracy_up", "warning", sentence, advice, numbers)


# --- the training loss --------------------------------------------------------------------------


def _diverging(epochs: Float[np.ndarray, " m"], training: Curve) -> Finding | None:
    """A training loss that ends above its best, or swings from epoch to epoch."""
    first, swing, alternating = _swings(training)
    rise, best = training.rise, training.lowest
    fallen = max(0.0, float(training.levels[0]) - best)
    rises = rise > max(BACK * fallen, ABOVE * abs(best), training.doubt)
    swings = swing > SWING * first or (
        swing > REGULAR_SWING[0] * first and alternating > REGULAR_SWING[1]
    )
    if not rises and not swings:
        return None
    sentence = (
        f"Diverging: the training loss rises from {best:.4g} at epoch "
        f"{epochs[training.minimum]:g} to {training.end:.4g} at the end."
        if rises
        else f"Diverging: the training loss swings by {swing:.3g} from epoch to epoch "
        f"({100 * alternating:.0f}% of these changes turn back), beside {first:.4g} at the start."
    )
    numbers = {
        "best": best,
        "epoch": int(epochs[training.minimum]),
        "end": training.end,
        "swing": swing,
        "alternating": alternating,
    }
    advice = "Lower the learning rate, to a third to begin with, or clip the gradients."
    return Finding("diverging", "critical", sentence, advice, numbers)


def _swings(training: Curve) -> tuple[float, float, float]:
    """First loss, median change in the second half, and the share of changes that turn back.

    A change is that from the middle of both neighbours, so that a steady course is none.
    """
    late = training.values[-max(FEWEST, len(training.values) // 2 + 1) :]
    changes = np.diff(late, 2) / 2
    turned = float(np.mean(changes[1:] * changes[:-1] < 0))
    return abs(float(training.levels[0])), float(np.median(np.abs(changes))), turned


def _plateau(
    epochs: Float[np.ndarray, " m"], training: Curve, chance: float | None
) -> Finding | None:
    """A training loss that hardly falls, or that stalls at the chance level."""
    start, end = float(np.median(training.values[:3])), training.end
    least, most = STILL[0] * abs(start), STILL[1] * abs(start)
    still = min(most, max(least, 4 * _noise(training.values)))
    hardly = abs(start - end) <= still and abs(training.values[0] - end) <= most
    if hardly and chance is not None and end < (1 - LEARNED) * chance:
        # Learned within the first epoch, or before it; what is left to learn is little.
        return None
    if not hardly and (chance is None or not _stalls(training, chance)):
        return None
    where = "" if chance is None else f"; chance level is {chance:.4g}"
    sentence = (
        f"Plateau: the training loss is {start:.4g} at epoch {epochs[0]:g} and {end:.4g} at the "
        f"end (epoch {epochs[-1]:g}){where}."
    )
    advice = (
        "Check that gradients reach the weights and that labels belong to their inputs; then try a "
        "learning rate ten times higher or lower, or another initialisation."
    )
    numbers = {"start": start, "end": end, "chance": chance}
    return Finding("plateau", "warning", sentence, advice, numbers)


def _stalls(training: Curve, chance: float) -> bool:
    """Whether the loss is at the chance level in the middle and at the end alike."""
    half = float(np.median(training.values[len(training.values) // 2 :]))
    near = AT_CHANCE * abs(chance)
    return abs(half - chance) <= near and abs(training.end - chance) <= near
