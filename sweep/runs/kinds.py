"""Which kind of work a spec asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweep.runs.kind import Work
    from sweep.runs.spec.spec import Spec


def work_of(spec: Spec) -> Work:
    """The work: networks if it has the table `training`, else landscapes."""
    # Imported where they are needed: who asks for help waits for neither.
    if spec.training is None:
        from sweep.runs.landscapes import Landscapes

        return Landscapes(spec)
    from sweep.runs.networks import Networks

    return Networks(spec, spec.training)
