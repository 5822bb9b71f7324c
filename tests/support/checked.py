"""The run-time type checker of the tests: beartype, for which an int is a float, as in PEP 484."""

from beartype import BeartypeConf, beartype

_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))
_inner = {}


def checked(annotated):
    """Checks a class, or a function of nothing but a signature, which jaxtyping makes of each.

    The checks of a function within a function are made once, not in every call of the outer one,
    which would take longer than the call.
    """
    if "<locals>" not in annotated.__qualname__:
        return _beartype(annotated)
    key = (annotated.__module__, annotated.__qualname__, repr(annotated.__annotations__))
    if key not in _inner:
        _inner[key] = _beartype(annotated)
    return _inner[key]
