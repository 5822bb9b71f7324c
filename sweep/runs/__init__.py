"""Large sweeps on disk: landscapes of many laws or files, or many networks, in one store.

A `Spec` says what is computed; a task computes its chunks of it; whatever stops a run, it goes on
where it stopped.

Each module imports only from those above it, and from those above `runs` in `sweep`:

    keys      what each key of a spec may hold, and the sentences that refuse anything else
    values    values that specs of any kind have
    canonical the canonical values of landscapes
    trainings the canonical values of networks
    toml      the text of a spec
    spec      a `Spec`
    work      what a kind of work is: landscapes, or networks
    disk      files that appear whole or grow by whole lines
    journal   which tasks are done
    events    the log of a run
    versions  what every bit of a result may depend on
    directory what lies where, what a run was begun with, and who may write to it
    tasks     which tile of which landscape each task computes
    tables    numbers of each landscape
    landscapes landscapes as a kind of work
    networks  networks as a kind of work
    kinds     which kind of work a spec asks for
    skeleton  metadata and coordinates of the store
    results   the store, Zarr v3
    compute   one task, wherever it runs
    recovery  what of a run is good
    heartbeat what the process that writes is at
    status    `status()`: how far a run is
    execute   `run()` and `resume()`
    view      what a figure of a run shows
"""
