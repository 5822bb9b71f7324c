"""Where gradient descent and Adam go for p = sigmoid(a*x + b), on the landscapes of both metrics.

Each module imports only from those above it, and from those above `paths` in `sweep`:

    growth        how fast (a, b) grows where cross-entropy has no finite optimum, by theory
    penalised     the optimum of cross-entropy with an L2 penalty
    trajectories  the loop over the steps of (a, b), compiled once for paths side by side
    settings      what paths are asked for, checked
    dataset       what is recorded along them, as one dataset
    summary       what a path comes to, in numbers
    run           `paths()`: where optimisers of (a, b) go, on the landscapes of both metrics
"""
