"""Findings about a training history: overfitting, divergence, a plateau.

Losses by epoch are noisy, so no conclusion rests on a single epoch. Running medians smooth a curve,
and a rise or fall is compared with the noise of such a median. Two estimates of the noise of an
epoch are used: second differences, which a trend does not affect (their median, which outliers do
not affect), and the residuals of the best curve that falls and then rises. Where neighbouring
epochs are alike, differences of blocks of epochs are used as well. A change counts if it is far
beyond the noise and large enough to matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

from sweep.data.history import History
from sweep.diagnosis.report import Finding

MIN_EPOCHS = 5  # with fewer, noise and trend cannot be told apart
MIN_EPOCHS_FOR_RESIDUALS = 8  # with fewer, noise alone often falls and then rises exactly
WINDOWS = 20  # running medians side by side in a history
MAX_WINDOW = 101  # epochs
MEDIAN_DEVIATION = 0.6745  # median absolute value of the standard normal distribution
MEDIAN_EFFICIENCY = 0.8  # standard error of a mean over that of a median, for normal noise

RISE = 0.02  # least rise of a validation loss that counts, as a fraction of its minimum
MIN_FALL, MAX_FALL = 0.002, 0.02  # fall of an accuracy that is none; at most, whatever the noise
BACK = 0.1  # least rise of a training loss that is divergence, as a fraction of its fall before
ABOVE = 0.05  # the same, as a fraction of its best
SWING = 0.15  # median change between epochs that is oscillation, as a fraction of the first loss
REGULAR_SWING = 0.1  # the same where the changes reverse regularly
REGULAR = 0.9  # share of changes that reverse; for white noise it is two thirds
MIN_STILL, MAX_STILL = 0.03, 0.1  # fall of a loss that is none, relative to its start; at most
LEARNED = 0.06  # how far below the chance level a loss shows learning, as a fraction of that level
AT_CHANCE = 0.02  # how near to the chance level a stalled loss is, as a fraction of that level


def history_findings(history: History, chance: float | None = None) -> tuple[Finding, ...]:
    """The findings about a training history; none for fewer than five epochs."""
    if len(history.epochs) < MIN_EPOCHS:
        return ()
    epochs, training = history.epochs.astype(np.float64), Curve(history.loss)
    candidates = [_diverging(epochs, training) or _plateau(epochs, training, chance)]
    if history.val_loss is not None:
        validation = Curve(history.val_loss)
        accuracy = None if history.val_acc is None else Curve(history.val_acc)
        if validation.rise > max(RISE * abs(validation.lowest), validation.chance_rise):
            candidates.append(_overfitting(epochs, training, validation, accuracy))
            candidates.append(_loss_up_accuracy_up(epochs, validation, accuracy))
    return tuple(finding for finding in candidates if finding is not None)


# --- curves -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Curve:
    """A loss or an accuracy by epoch, of at least `MIN_EPOCHS` epochs."""

    values: Float[np.ndarray, " m"]  # as recorded

    @property
    def window(self) -> int:
        """Epochs of a running median, an odd number."""
        return min(MAX_WINDOW, 2 * (len(self.values) // (2 * WINDOWS)) + 1)

    @cached_property
    def levels(self) -> Float[np.ndarray, " m"]:
        """Running medians, of fewer epochs at the ends."""
        half, v = self.window // 2, self.values
        levels = np.empty(len(v))
        levels[half : len(v) - half] = np.median(sliding_window_view(v, self.window), axis=1)
        for i in range(half):
            levels[i] = np.median(v[: i + half + 1])
            levels[-1 - i] = np.median(v[-1 - i - half :])
        return levels

    @property
    def end_epochs(self) -> int:
        """Number of epochs that form the end; more than one, as a single one may be bad."""
        return max(3, self.window)

    @property
    def end(self) -> float:
        """Level of the last epochs."""
        return float(np.median(self.values[-self.end_epochs :]))

    @cached_property
    def minimum(self) -> int:
        """Index of the lowest epoch around the lowest level before the end."""
        middle = int(np.argmin(self.levels[: -self.end_epochs]))
        first = max(0, middle - self.window // 2)
        return first + int(np.argmin(self.values[first : middle + self.window // 2 + 1]))

    @property
    def lowest(self) -> float:
        """The lowest level before the end."""
        return float(np.min(self.levels[: -self.end_epochs]))

    @property
    def rise(self) -> float:
        """Rise from the lowest level to the end."""
        return self.end - self.lowest

    @cached_property
    def error(self) -> float:
        """Standard error of a difference of two levels, by second differences."""
        v = self.values
        return self._error_of_levels(max(_noise(v), _noise(v[len(v) // 2 :])))

    @cached_property
    def chance_rise(self) -> float:
        """Rise that noise alone makes in fewer than one of 200 histories.

        It takes more standard errors than a normal difference: the lowest of many levels is low by
        chance, and a few epochs hardly determine the noise itself. The numbers come from
        simulations of pure noise, white or with correlated neighbours.
        """
        m = len(self.values)
        by_differences = (4.5 + 20 / m) * self.error
        if m < MIN_EPOCHS_FOR_RESIDUALS:
            return 2 * by_differences
        residual = self._error_of_levels(float(np.sqrt(np.mean(self._residuals**2))))
        at_least = min(3.5, m / 6) * self.error
        return min(by_differences, max(at_least, 4.5 * (1 + (12 / m) ** 4) * residual))

    @property
    def _residuals(self) -> Float[np.ndarray, " m"]:
        """Residuals of the best curve that falls until the minimum and then rises."""
        from scipy.optimize import isotonic_regression  # slow to import, for histories only

        before, after = np.split(self.values, [self.minimum])
        falling = isotonic_regression(before, increasing=False).x if len(before) else before
        return np.concatenate([before - falling, after - isotonic_regression(after).x])

    def _error_of_levels(self, noise: float) -> float:
        """Standard error of a difference of two levels, by the noise of an epoch."""
        v, w = self.values, self.window
        blocks = np.median(v[len(v) % w :].reshape(-1, w), axis=1) if w > 1 else v[:0]
        return 2**0.5 * max(noise / (MEDIAN_EFFICIENCY * w**0.5), _noise(blocks))


def _noise(values: Float[np.ndarray, " m"]) -> float:
    """Standard deviation of the values about a smooth curve; 0 for fewer than `MIN_EPOCHS`."""
    if len(values) < MIN_EPOCHS:
        return 0.0
    # The second difference of white noise has the variance 1 + 4 + 1.
    return float(np.median(np.abs(np.diff(values, 2)))) / (MEDIAN_DEVIATION * 6**0.5)


# --- the validation loss ------------------------------------------------------------------------


def _overfitting(
    epochs: Float[np.ndarray, " m"], training: Curve, validation: Curve, accuracy: Curve | None
) -> Finding | None:
    """The finding for a rising validation loss, if the training loss does not rise as well."""
    best = validation.minimum
    if training.end > training.levels[best] + training.error:
        return None
    epoch, saved = epochs[best], validation.rise
    gained = None if accuracy is None else float(accuracy.levels[best]) - accuracy.end
    sentence = (
        f"Overfitting: the validation loss is lowest at epoch {epoch:g} ({validation.lowest:.4g} "
        f"nats) and rises to {validation.end:.4g} at the end, while the training loss goes from "
        f"{training.levels[best]:.4g} to {training.end:.4g}."
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
        "training_loss_there": float(training.levels[best]),
        "training_loss_at_end": training.end,
    }
    return Finding("overfitting", "warning", sentence, advice, numbers)


def _in_accuracy(gained: float | None) -> str:
    """The effect of stopping early on accuracy, in words that follow the nats saved."""
    if gained is None:
        return ""
    verb = "gains" if gained >= 0 else "costs"
    return f" and {verb} {100 * abs(gained):.2g} percentage points of accuracy"


def _loss_up_accuracy_up(
    epochs: Float[np.ndarray, " m"], validation: Curve, accuracy: Curve | None
) -> Finding | None:
    """The finding for a rising validation loss, if the accuracy does not fall."""
    if accuracy is None:
        return None
    best = validation.minimum
    gain = accuracy.end - float(accuracy.levels[best])
    if -gain > min(MAX_FALL, max(MIN_FALL, 2 * accuracy.error)):
        return None
    rises = gain > max(MIN_FALL, 2 * accuracy.error)
    sentence = (
        f"Loss up, accuracy {'up' if rises else 'level'}: from epoch {epochs[best]:g} to the end "
        f"the validation loss rises from {validation.lowest:.4g} to {validation.end:.4g} nats, "
        f"while the validation accuracy {'rises' if rises else 'stays level'} "
        f"({accuracy.levels[best]:.4g} to {accuracy.end:.4g})."
    )
    advice = (
        "The predictions grow more confident than they are right: keep the final weights for "
        "their accuracy and recalibrate them (temperature scaling), or stop early for the loss."
    )
    numbers = {
        "epoch": int(epochs[best]),
        "validation_loss_rise": validation.rise,
        "validation_accuracy_there": float(accuracy.levels[best]),
        "validation_accuracy_at_end": accuracy.end,
        "validation_accuracy_gain": gain,
    }
    return Finding("loss_up_accuracy_up", "warning", sentence, advice, numbers)


# --- the training loss --------------------------------------------------------------------------


def _diverging(epochs: Float[np.ndarray, " m"], training: Curve) -> Finding | None:
    """The finding for a training loss that ends above its best, or swings between epochs."""
    first, swing, alternating = _swings(training)
    best = training.lowest
    fallen = max(0.0, float(training.levels[0]) - best)
    rises = training.rise > max(BACK * fallen, ABOVE * abs(best), training.chance_rise)
    swings = swing > SWING * first or (swing > REGULAR_SWING * first and alternating > REGULAR)
    if not rises and not swings:
        return None
    sentence = (
        f"Diverging: the training loss rises from {best:.4g} at epoch "
        f"{epochs[training.minimum]:g} to {training.end:.4g} at the end."
        if rises
        else f"Diverging: the training loss swings by {swing:.3g} from epoch to epoch "
        f"({100 * alternating:.0f}% of these changes reverse); it is {first:.4g} at the start."
    )
    numbers = {
        "best": best,
        "epoch": int(epochs[training.minimum]),
        "end": training.end,
        "swing": swing,
        "alternating": alternating,
    }
    advice = "Lower the learning rate, to a third at first, or clip the gradients."
    return Finding("diverging", "critical", sentence, advice, numbers)


def _swings(training: Curve) -> tuple[float, float, float]:
    """First loss, median change in the second half, and the share of changes that reverse.

    A change is the difference from the mean of both neighbours, so a steady slope has none.
    """
    late = training.values[-max(MIN_EPOCHS, len(training.values) // 2 + 1) :]
    changes = np.diff(late, 2) / 2
    reversing = float(np.mean(changes[1:] * changes[:-1] < 0))
    return abs(float(training.levels[0])), float(np.median(np.abs(changes))), reversing


def _plateau(
    epochs: Float[np.ndarray, " m"], training: Curve, chance: float | None
) -> Finding | None:
    """The finding for a training loss that hardly falls, or that stalls at the chance level."""
    start, end = float(np.median(training.values[:3])), training.end
    least, most = MIN_STILL * abs(start), MAX_STILL * abs(start)
    still = min(most, max(least, 4 * _noise(training.values)))
    hardly_falls = abs(start - end) <= still and abs(training.values[0] - end) <= most
    if hardly_falls and chance is not None and end < (1 - LEARNED) * chance:
        # Learned in the first epoch or before it; little is left to learn.
        return None
    if not hardly_falls and (chance is None or not _stalls(training, chance)):
        return None
    level = "" if chance is None else f"; chance level is {chance:.4g}"
    sentence = (
        f"Plateau: the training loss is {start:.4g} at epoch {epochs[0]:g} and {end:.4g} at the "
        f"end (epoch {epochs[-1]:g}){level}."
    )
    advice = (
        "Check that gradients reach the weights and that labels belong to their inputs; then try a "
        "learning rate ten times higher or lower, or another initialisation."
    )
    numbers = {"start": start, "end": end, "chance": chance}
    return Finding("plateau", "warning", sentence, advice, numbers)


def _stalls(training: Curve, chance: float) -> bool:
    """Whether the loss is at the chance level both in the second half and at the end."""
    second_half = float(np.median(training.values[len(training.values) // 2 :]))
    near = AT_CHANCE * abs(chance)
    return abs(second_half - chance) <= near and abs(training.end - chance) <= near
