import pytest

from sweep.asymptotics.published import illustrate


@pytest.fixture(scope="session")
def first():
    """The first published illustration."""
    return illustrate(1)
