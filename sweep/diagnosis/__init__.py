"""Why the loss and the accuracy of a classifier disagree: its validation logits, diagnosed.

With z the logits, sigmoid(a*z + b) is a recalibration: a the calibration slope, b the calibration
intercept, and the classifier itself is (1, 0). So a landscape over (a, b) and its optima say how
much of the loss is the fault of the confidence, of a shift, or of the features.

Each module imports only from those above it, and from those above `diagnosis` in `sweep`:

    estimate   a number with its bootstrap interval
    report     what a diagnosis consists of
    scores     the numbers of the data as they are
    alone      the best slope alone, and the best intercept alone
    multiclass the best temperature of several classes
    split      what slope, intercept and both could save of the loss
    nodes      weighted points that stand for any number of rows
    resample   the bootstrap's draws
    descents   Newton's method on many draws at once, on the device
    refits     slopes and intercepts of every draw
    bootstrap  the numbers of every draw
    profile    cross-entropy of every draw of several classes, over the slope
    several    the numbers of every draw of several classes
    thresholds the best decision thresholds, and what evidence there is for them
    surprise   samples whose loss the classifier held for all but impossible
    evidence   what the rules decide by
    confidence findings about the slope and the intercept
    outliers   findings about single samples
    signal     findings about what the logits carry
    learning   findings from a training history
    fits       recalibrations that were fitted elsewhere
    findings   all findings, in their order
    run        `diagnose()`
    histories  training histories of which it is known what is the matter
    cases      classifiers of which it is known what is the matter
    views      what figures and pages show of a diagnosis, as arrays
"""
