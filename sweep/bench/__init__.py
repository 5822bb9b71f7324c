"""This library and its peers side by side in one run, outputs checked before a time counts.

Again each module imports only from those above it, and from those above `bench` in `sweep`:

    machine    what a measurement depends on
    peers      the same landscape by other libraries
    race       times that are checked before they count
    contest    who takes part in a benchmark
    targets    the numbers that a benchmark is about
    run        `bench()`: the whole of it
    scoreboard a benchmark as text
"""
