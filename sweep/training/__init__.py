"""Small dense networks, trained by the thousand: how loss and accuracy part during training.

Networks differ by seed and by hyperparameters, and are trained all at once: one compiled loop over
the epochs, of all of them side by side.

Each module imports only from those above it, and from those above `training` in `sweep`:

    choices         what there is to choose from by name
    activations     what a unit makes of its input
    optimizers      optimisers and schedules of the learning rate, made by optax
    hyperparameters what training depends on besides the data
    split           a `Split`: the sets that networks are trained and judged on
    draws           splits drawn by seed, in which loss and accuracy part for a known cause
    problems        splits by name: the published data with an outlier, and others
    files           problems in files, of which each seed puts other rows aside
    products        matrix products whose bits do not depend on threads
    networks        initial weights, and the logits of a network
    objective       what is minimised, and what epochs are judged by
    loop            the loop over the epochs of one network
    fit             networks side by side, by a program compiled once
    ensemble        networks of several seeds and all combinations, side by side
    blocks          networks of many seeds, in blocks that share the cores
    results         what was recorded, as one dataset
    run             `train()`
    statistics      over networks of many seeds: quantiles, shares and paired differences
"""
