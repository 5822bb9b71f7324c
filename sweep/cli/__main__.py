"""`python -m sweep.cli` is `sweep`."""

from sweep.cli import main

main()
