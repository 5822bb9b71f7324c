"""The catalogue of laws by id, and the law that a text asks for."""

from __future__ import annotations

from sweep.base.errors import InputError
from sweep.base.families import Family, parse_call
from sweep.populations.joint_law import Population
from sweep.populations.laws import FAMILIES, IDS, uniform_logit

# By id, in the order of the table: W well-specified, M nearly, D and S misspecified.
CATALOGUE: dict[str, Population] = {
    key: FAMILIES[call.name](**call.named)
    for key, call in ((key, parse_call(name, "law", name)) for name, key in IDS.items())
}


def population(law: str | Population | Family[Population]) -> Population:
    """The law that a text names, such as "W1", "uniform_logit" or "uniform_logit(a=0.3,b=0.5)".

    Args:
        law: an id or name; a family means the member with its default parameters, and a
            `Population` is returned as it is.

    Raises:
        InputError: the name or its parameters are unknown; the message lists what is known.
    """
    if isinstance(law, Population):
        return law
    if isinstance(law, Family):
        return law()
    if not isinstance(law, str):
        raise InputError(
            f"the law is a {type(law).__name__}; give a name such as {uniform_logit.signature}, "
            "or a sweep.populations.Population"
        )
    if law.strip().upper() in CATALOGUE:
        return CATALOGUE[law.strip().upper()]
    name, values, named = parse_call(law, "law", uniform_logit.signature)
    if name not in FAMILIES:
        raise InputError(f"there is no law {name!r}; the known laws are {known()}")
    return FAMILIES[name](*values, **named)


def known() -> str:
    """The laws that `population` knows, as text: families with their defaults, and ids."""
    families = ", ".join(family.signature for family in FAMILIES.values())
    return f"{families} and, by id, {', '.join(CATALOGUE)}"
