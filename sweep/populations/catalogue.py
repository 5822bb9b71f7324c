"""The laws by id, and the law that a text asks for."""

from __future__ import annotations

from sweep.base.errors import InputError
from sweep.base.families import Family, parsed
from sweep.populations.ids import IDS
from sweep.populations.joint_law import Population
from sweep.populations.laws import FAMILIES, uniform_logit

CATALOGUE: dict[str, Population] = {
    key: FAMILIES[call.name](**call.named)
    for key, call in ((key, parsed(name, "law", name)) for name, key in IDS.items())
}
"""The laws with an id, in the order of the table: W well-specified, M nearly, D and S not."""


def population(asked: str | Population | Family[Population]) -> Population:
    """The law that a text asks for, such as "W1", "uniform_logit" or "uniform_logit(a=0.3,b=0.5)".

    Raises:
        InputError: there is none of that name or its parameters are not understood; the sentence
            says what would be right.
    """
    if isinstance(asked, Population):
        return asked
    if isinstance(asked, Family):
        return asked()
    if not isinstance(asked, str):
        raise InputError(
            f"the law is a {type(asked).__name__}; give a name such as {uniform_logit.signature}, "
            "or a sweep.populations.Population"
        )
    if asked.strip().upper() in CATALOGUE:
        return CATALOGUE[asked.strip().upper()]
    name, values, named = parsed(asked, "law", uniform_logit.signature)
    if name not in FAMILIES:
        raise InputError(f"there is no law {name!r}; the known laws are {known()}")
    return FAMILIES[name](*values, **named)


def known() -> str:
    """What may be asked for: families with the defaults of their parameters, and ids."""
    families = ", ".join(family.signature for family in FAMILIES.values())
    return f"{families} and, by id, {', '.join(CATALOGUE)}"
