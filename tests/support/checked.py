"""The run-time checker of shapes and types: every annotated signature of sweep, in every call.

jaxtyping's own decorator binds the arguments of each call to their names and checks them twice,
which took a fifth of the time of the suite. Here the same type checker checks the same shapes once.
"""

import dataclasses
import functools
import inspect
import typing

import jaxtyping
from beartype import BeartypeConf, beartype

_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as in PEP 484
_shapes = jaxtyping.jaxtyped("context")  # within it, an axis of one name has one length
_checks = {}  # by code: a function within a function is a new one in each call of the outer one


def jaxtyped(annotated=None, *, typechecker):
    """Stands in for `jaxtyping.jaxtyped`, which the import hook writes at every definition."""
    if annotated is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    if isinstance(annotated, type):
        generated = not hasattr(annotated.__init__, "__wrapped__")
        if dataclasses.is_dataclass(annotated) and generated:
            annotated.__init__ = _checked(annotated.__init__)
        return annotated
    return _checked(annotated)


def _checked(function):
    code = function.__code__
    if id(code) not in _checks:  # codes that are equal may have other types
        _checks[id(code)] = code, *_checks_of(function)
    _, check_arguments, check_result = _checks[id(code)]

    @functools.wraps(function)
    def call(*args, **kwargs):
        __tracebackhide__ = True
        with _shapes:
            check_arguments(*args, **kwargs)
            result = function(*args, **kwargs)
            check_result(result)
            return result

    return call


def _checks_of(function):
    """Two functions that do nothing but check: the arguments, and the result."""
    hints = {name: _resolved(hint, function) for name, hint in function.__annotations__.items()}
    result = hints.pop("return", typing.Any)
    bare = [
        parameter.replace(annotation=parameter.empty, default=None)
        if parameter.default is not parameter.empty
        else parameter.replace(annotation=parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
    ]
    check_arguments = _empty(function, str(inspect.Signature(bare)))
    check_arguments.__defaults__ = function.__defaults__
    check_arguments.__kwdefaults__ = function.__kwdefaults__
    check_arguments.__annotations__ = hints
    check_result = _empty(function, "(result)", "return result")
    check_result.__annotations__ = {"return": result}
    return _beartype(check_arguments), _beartype(check_result)


def _empty(function, signature, body="pass"):
    scope = {}
    exec(f"def check{signature}: {body}", scope)
    scope["check"].__module__ = function.__module__
    scope["check"].__qualname__ = function.__qualname__
    return scope["check"]


def _resolved(hint, function):
    """The type that a string stands for; anything where it is known to type checkers only."""

    def typed(value: hint): ...

    try:
        return typing.get_type_hints(typed, function.__globals__, include_extras=True)["value"]
    except Exception:
        return typing.Any
