"""Shards of every kind that is read, written from the same columns."""

import gzip
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def columns(n, seed=0, weighted=False):
    """Columns x, y and perhaps weight of n rows, of widely different sizes."""
    rng = np.random.default_rng(seed)
    made = {
        "x": rng.normal(size=n) * 10.0 ** rng.integers(-300, 300, n),
        "y": rng.integers(0, 2, n).astype(float),
    }
    return made | ({"weight": rng.random(n)} if weighted else {})


def _matrix(path, table, order="C", byteorder="="):
    made = np.column_stack(list(table.values()))
    np.save(path, np.asarray(made, np.dtype(np.float64).newbyteorder(byteorder), order=order))


def _records(path, table):
    kinds = [(name, values.dtype) for name, values in reversed(table.items())]
    made = np.zeros(len(table["x"]), [("id", "U3"), *kinds])
    for name, values in table.items():
        made[name] = values
    np.save(path, made)


def archive(path, table, method=zipfile.ZIP_STORED):
    """An NPZ file by another of the compressions that archives may have."""
    with zipfile.ZipFile(path, "w", method) as made:
        for name, values in table.items():
            with made.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.asarray(values))


def text(table, separator=","):
    """The columns as CSV."""
    return pd.DataFrame(table).to_csv(index=False, sep=separator)


def parquet(path, table, **options):
    """A Parquet file of several row groups."""
    pq.write_table(pa.table(table), path, **{"row_group_size": 37} | options)


KINDS = {
    "parquet": ("a.parquet", parquet),
    "dictionary": (
        "b.pq",
        lambda path, table: parquet(
            path, {name: pa.array(values).dictionary_encode() for name, values in table.items()}
        ),
    ),
    "csv": ("a.csv", lambda path, table: path.write_text(text(table))),
    "tsv": ("a.tsv", lambda path, table: path.write_text(text(table, "\t"))),
    "gzip": ("a.csv.gz", lambda path, table: path.write_bytes(gzip.compress(text(table).encode()))),
    "no suffix": ("a", lambda path, table: path.write_text(text(table))),
    "npy": ("a.npy", _matrix),
    "columns": ("f.npy", lambda path, table: _matrix(path, table, order="F")),
    "big-endian": ("e.npy", lambda path, table: _matrix(path, table, byteorder=">")),
    "records": ("r.npy", _records),
    "npz": ("a.npz", lambda path, table: np.savez(path, **table, other=np.array([None]))),
    "npz compressed": ("c.npz", lambda path, table: np.savez_compressed(path, **table)),
    "npz lzma": ("l.npz", lambda path, table: archive(path, table, zipfile.ZIP_LZMA)),
}
"""Names of files and how to write (path, columns) to them, by kind."""


def write(folder, kind, table, name=None):
    """The path of a file of that kind with these columns."""
    usual, writer = KINDS[kind]
    path = folder / (usual if name is None else name + usual[1:])
    writer(path, table)
    return path
