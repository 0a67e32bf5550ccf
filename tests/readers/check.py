"""Reads every Parquet file that the program writes with pyarrow, pandas, DuckDB and Polars.

Usage: check.py PROGRAM, the path of the overparam binary. Prints one line per file; stops at the first difference.
"""

import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

STRINGS = {"function", "optimizer", "stage", "dtype", "device", "squash", "initialization", "outcome", "instruction_set", "rule", "schedule", "activation", "widths"}
COMMANDS = [
    "run sphere --iterations 50 --output run.parquet",
    "sweep spin-glass --rates 1,0.1 --seeds 2 --iterations 20 --output sweep.parquet",
    "figures --quick --functions sphere,levy --seeds 1 --out figures",
    "couplings --seed 1 --dimension 4 --output couplings.parquet",
    "sweep sphere --rates 1 --seeds 1 --iterations 20 --store store",
    "gather store --output gathered.parquet --traces gathered-traces.parquet",
]


def same(a, b):
    """Whether two values are equal, NaN being equal to itself."""
    both = isinstance(a, float) and isinstance(b, float)
    return a == b or a is None and b is None or both and math.isnan(a) and math.isnan(b)


def expect(condition, *what):
    if not condition:
        sys.exit("readers: " + " ".join(str(part) for part in what))


def points(folder):
    """Writes points with the labels of runs, as pandas does, from which `evaluate` then makes a file."""
    table = pd.DataFrame({"function": "sphere", "optimizer": ["deep", "shallow", "deep"], "seed": np.arange(3, dtype="uint64")})
    table["best"] = [0.0, 0.25, None]
    table["x0"], table["u0"] = [0.5, 0.25, 1.0], [0.0, -2.56, 5.12]
    table[["x1", "u1"]] = [[0.5, 0.0], [0.75, 2.56], [0.0, -5.12]]
    table.to_parquet(folder / "points.parquet", index=False)


def check(path):
    """Compares what every reader makes of every column of a file."""
    file = pq.ParquetFile(path)
    expect(file.metadata.metadata[b"overparam.version"], path, "has no version")
    table = pq.read_table(path)
    expect(table.num_rows > 0, path, "is empty")
    for field in table.schema:
        flat = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type)
        expect(field.type == pa.string() if field.name in STRINGS else flat or field.type == pa.string(), path, field)
    columns = table.to_pydict()
    quoted = str(path).replace("'", "''")
    other = {
        "DuckDB": duckdb.sql(f"select * from '{quoted}'").to_arrow_table().to_pydict(),
        "Polars": pl.read_parquet(path).to_dict(as_series=False),
        "Polars, lazily": pl.scan_parquet(path).collect().to_dict(as_series=False),
    }
    for backend in ["numpy_nullable", "pyarrow"]:
        frame = pd.read_parquet(path, dtype_backend=backend)
        other["pandas, " + backend] = {name: [None if value is pd.NA else value for value in frame[name].tolist()] for name in frame}
    frame = pd.read_parquet(path)
    expect(list(frame.columns) == list(columns), path, "pandas", list(frame.columns))
    for reader, found in other.items():
        expect(list(found) == list(columns), path, reader, list(found))
        for name, values in columns.items():
            expect(len(found[name]) == len(values), path, reader, name, "rows")
            expect(all(map(same, found[name], values)), path, reader, name, found[name][:5], values[:5])
    for name, values in columns.items():
        value = next((value for value in values if value is not None and value == value), None)
        if value is None:
            continue
        count = sum(given == value for given in values)
        # One value of every column: filtered, and grouped by.
        expect(pq.read_table(path, filters=[(name, "=", value)]).num_rows == count, path, "pyarrow's filter of", name)
        expect(pd.read_parquet(path, filters=[(name, "==", value)]).shape[0] == count, path, "pandas' filter of", name)
        groups = table.group_by(name).aggregate([(name, "count")]).to_pydict()
        expect(dict(zip(groups[name], groups[name + "_count"]))[value] == count, path, "pyarrow's group_by of", name)
        expect(frame.groupby(name).size()[value] == count, path, "pandas' groupby of", name)
        expect(pl.scan_parquet(path).filter(pl.col(name) == value).collect().height == count, path, "Polars' filter of", name)
        found = duckdb.execute(f'select count(*) from \'{quoted}\' where "{name}" = ?', [value]).fetchall()
        expect(found == [(count,)], path, "DuckDB's filter of", name, found)
    print(f"readers: {path.name}: {len(columns)} columns, {table.num_rows} rows")


def main(program):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        points(folder)
        evaluate = "evaluate sphere --points points.parquet --output values.parquet"
        for command in [*COMMANDS, evaluate]:
            done = subprocess.run([program, *command.split()], cwd=folder, capture_output=True, text=True)
            expect(done.returncode == 0, command, done.stderr)
        (folder / "points.parquet").unlink()
        found = sorted(folder.rglob("*.parquet"))
        expect(len(found) >= 10, "too few files:", *found)
        for path in found:
            check(path)
        values = pq.read_table(folder / "values.parquet").to_pydict()
        expect(values["scaled"][:2] == [0.0, 0.25] and values["best"] == [0.0, 0.25, None], values)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
