"""What cannot be done, said to whoever asked for it."""


class InputError(ValueError):
    """What was asked for cannot be done; the message is one sentence for the user."""


class AxisError(InputError):
    """The text or the numbers do not describe an axis; a wrong use of the command line."""
