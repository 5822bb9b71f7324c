"""Errors that a user of the package can correct."""


class InputError(ValueError):
    """The input cannot be used; the message is one sentence that says what to change."""


class AxisError(InputError):
    """The text or the numbers do not describe an axis or a pair; a wrong use of the CLI."""
