"""The commands: where each is defined, and its help.

Commands are named by import strings, so that `sweep --help` loads none of them.
"""

HELP = "Loss and accuracy landscapes of p = sigmoid(a*x + b), and why the two disagree."

COMMANDS = {
    "bench": (
        "sweep.cli.bench:bench",
        """Time this library and others side by side.

        Outputs are checked before a time counts. A library that is not installed is
        skipped; times that would take too long are extrapolated and marked.
        """,
    ),
    "diagnose": (
        "sweep.cli.diagnose:diagnose",
        """Say why loss and accuracy of a classifier disagree, from its validation logits.

        The report starts with the findings and what to do about them; the numbers
        follow, with 95% intervals. With several classes there is one column of logits
        for each, and labels are the NAMEs of the columns.
        """,
    ),
    "illustrate": (
        "sweep.cli.illustrate:illustrate",
        """Compute the three published illustrations beside the published numbers, with figures.""",
    ),
    "landscape": (
        "sweep.cli.landscape:landscape",
        """Compute metrics over a grid of slopes a and intercepts b.

        An axis is LOW:HIGH:COUNT (both ends included), LOW:HIGH:COUNT:log, or a list
        such as 0,1,2.5. Several sizes of a law, such as --n=10,100,1e4,inf, become one
        result with the dimension n, and --animation draws one frame for each. A sketch
        (from sweep sketch) has exact counts on its own grid; elsewhere accuracy is
        bounded by accuracy_lower and accuracy_upper.

        A result larger than --memory is written tile by tile if --out is a .zarr; the
        figure then shows 400 points of each axis, and --json prints no values.
        """,
    ),
    "merge": (
        "sweep.cli.sketch:merge",
        """Add up sketches of parts of the data, in any order.""",
    ),
    "optimum": (
        "sweep.cli.optimum:optimum",
        """Find the exact optimum of cross-entropy and of accuracy, and whether they share it.""",
    ),
    "resume": (
        "sweep.cli.runs:resume",
        """Resume an interrupted run.

        Finished tasks are checked, and computed again only if they are damaged. A run
        with another spec, other data or other versions of this software is refused.
        """,
    ),
    "run": (
        "sweep.cli.runs:run",
        """Compute what a spec describes: landscapes of many laws or files, or networks.

        Results go to OUT/results.zarr, for xarray.open_zarr. sweep resume continues an
        interrupted run, and sweep status shows how far a run is.
        """,
    ),
    "sketch": (
        "sweep.cli.sketch:sketch",
        """Read data larger than memory once, and keep a sketch of them.

        sweep landscape and sweep optimum take the sketch in place of the data: smooth
        metrics for |a| up to the largest of --a, to the tolerance; exact counts on the
        grid of --a and --b, and bounds elsewhere. Sketches that sweep merge adds up
        need the same options, --range included.
        """,
    ),
    "status": (
        "sweep.cli.runs:status",
        """Show how far a run is, also from another terminal.""",
    ),
    "study": (
        "sweep.cli.study:study",
        """Tell whether both metrics come to share an optimum as n grows, for known laws.

        Two answers, kept apart: for the population, by quadrature; and from samples
        alone, as a verdict at the loss of accuracy epsilon: share, do not share, or
        inconclusive.
        """,
    ),
    "train": (
        "sweep.cli.train:train",
        """Train networks by the thousand: how loss and accuracy come to disagree.""",
    ),
}

TRAIN_HELP = COMMANDS["train"][1]

TRAIN_COMMANDS = {
    "outlier": (
        "sweep.cli.train_experiments:outlier",
        """Show that one outlier makes the loss rise while accuracy holds, and how often.

        Small networks learn the published data, which have an outlier among the
        validation points, from many initial weights. Network options replace the
        published settings: 3 relu units, adam with a learning rate of 0.05, all 20
        points in one batch.
        """,
    ),
    "digits": (
        "sweep.cli.train_experiments:digits",
        """Show that loss and accuracy rise together, on images of digits.

        Networks overfit 150 images of odd and even digits. The report counts in how
        many of them validation loss and validation accuracy both rise from epoch 50 to
        the last one. Each seed has its own split and weights. Network options replace
        two layers of 32 relu units, and adam with a learning rate of 0.003, all images
        in one batch.
        """,
    ),
    "causes": (
        "sweep.cli.train_experiments:causes",
        """Show what makes loss and accuracy disagree, and what the usual remedies change.

        Trains networks with seven causes that people name, on new data for every seed,
        then tries the remedies that people name on the same data. The report compares
        each change on the test set with what is claimed for the remedy. The causes are
        imbalance, overfitting, confident_errors, dead_activations, learning_rate,
        label_noise and small_model.
        """,
    ),
    "paths": (
        "sweep.cli.train_paths:paths",
        """Follow gradient descent and Adam on the landscapes of (a, b).

        The optimisers descend cross-entropy, with and without a penalty, and pass over
        the steps of accuracy. Without DATA they run on the second illustration, and on
        6 points of the same model which a cut separates: there the slope grows without
        bound while the second illustration serves as validation data; --animation
        shows these.
        """,
    ),
}
