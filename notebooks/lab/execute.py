"""Executes notebooks from top to bottom with the kernel "Rust (overparam)" and fails on any error.

Usage: execute.py [--output FOLDER] [NOTEBOOK ...]

Without notebooks: all of notebooks/. Without --output they are written in place, with the outputs they now have. Prints the
seconds of every cell.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent
# Seconds for a cell; a first one compiles the crate if its sources have changed.
TIMEOUT = 600
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# evcxr colors every letter of the code in an error by itself.
SAME_COLOR = re.compile(r"(\x1b\[[0-9;]+m)([^\x1b]*)\x1b\[0m\1")
# The line that cargo prints when it links the shared library anew.
CARGO = re.compile(r"^ *Compiling .*\n?", re.MULTILINE)
# Of a notebook with its outputs.
MAXIMUM_BYTES = 2_000_000


def headline(cell):
    lines = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("//")]
    return (lines or [""])[-1].strip()[:76]


def calm(line):
    """A colored line with one change of color where the color changes."""
    while (shorter := SAME_COLOR.sub(r"\1\2", line)) != line:
        line = shorter
    return line


def text_of(notebook):
    """The notebook as a file. Figures are one line each: indented, they would be several times as large."""
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    for cell in notebook["cells"]:
        for found in cell.get("outputs", []):
            for mime, data in found.get("data", {}).items():
                if mime.endswith("+json"):
                    loose = json.dumps(data, ensure_ascii=False, indent=1)
                    deep = loose.replace("\n", "\n" + " " * 6)
                    text = text.replace(deep, json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    return text + "\n"


def execute(path, output):
    """Runs one notebook; returns what went wrong, if anything."""
    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()

    def begin(**_):
        nonlocal started
        started = time.monotonic()

    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="overparam",
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=begin,
        on_cell_executed=lambda cell, **_: print(f"{time.monotonic() - started:6.1f} s  {headline(cell)}", flush=True),
    )
    problem, problems = None, []
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        problem = str(error)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        # A cell that shows an error on purpose is marked as one.
        on_purpose = "raises-exception" in cell.metadata.get("tags", [])
        for found in cell.outputs:
            if found.output_type == "stream" and found.name == "stderr":
                found.text = CARGO.sub("", found.text)
        cell.outputs = [found for found in cell.outputs if found.output_type != "stream" or found.text.strip()]
        if on_purpose and cell.execution_count and not any(found.output_type == "error" for found in cell.outputs):
            problems.append(f"no error from the cell that is to show one: {headline(cell)}")
        for found in cell.outputs:
            # evcxr counts one further than Jupyter does.
            if "execution_count" in found:
                found.execution_count = cell.execution_count
            if found.output_type == "error":
                found.traceback = [calm(line) for line in found.traceback]
            if found.output_type == "error" and not on_purpose:
                problems.append("\n".join([found.evalue, *found.traceback]))
            # An error through `?` is a line on standard error, not an error of the kernel.
            if found.output_type == "stream" and found.name == "stderr":
                problems.append(f"on standard error: {found.text.strip()}")
    problem = ANSI.sub("", "\n".join(problems)) or problem
    notebook.metadata["kernelspec"] = {"display_name": "Rust (overparam)", "language": "rust", "name": "overparam"}
    text = text_of(notebook)
    size = len(text.encode())
    print(f"  {size / 1e6:.2f} MB")
    if size > MAXIMUM_BYTES and not problem:
        problem = f"{size} bytes with its outputs, more than {MAXIMUM_BYTES}"
    destination = output / path.name if output else path
    if not problem or output:
        destination.parent.mkdir(parents=True, exist_ok=True)
        temporary = destination.with_suffix(".part")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, destination)
    return problem


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--output", type=Path, help="write the executed notebooks here instead of in place")
    arguments.add_argument("notebooks", nargs="*", type=Path)
    arguments = arguments.parse_args()
    paths = arguments.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    if not paths:
        sys.exit(f"no notebooks in {NOTEBOOKS}")
    # Only this environment's kernels: one of the same name elsewhere must not be taken.
    os.environ["JUPYTER_PATH"] = str(Path(sys.prefix) / "share/jupyter")
    failed = []
    for path in paths:
        print(f"{path.name}", flush=True)
        if problem := execute(path.resolve(), arguments.output):
            failed.append(path.name)
            print(f"{path.name} FAILED: {problem}", file=sys.stderr, flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
