"""What becomes of the two optima as n grows, by samples of every size from a known law.

Again each module imports only from those above it, and from those above `study` in `sweep`:

    pieces     samples on the device, cut into pieces
    scan       the exact accuracy optimum of samples
    descent    the cross-entropy optimum of samples
    replicates both, for many samples at once
    table      the table of all samples, beside what the population says
    fits       lines through means with standard errors, and how far combinations of them are known
    rates      means by n, log-log slopes and constants, side by side with theory
    evidence   what regrets say of their mean: intervals, fits, the last decade
    verdict    whether the optima are shared: in the population, and within epsilon at finite n
    run        `study()`: all of it, for one law
"""
