"""What goes wrong in a notebook, on purpose: each mishap must end in a sentence that says what to do.

Usage: mishaps.py
"""

import os
import queue
import shutil
import sys
import tempfile
from pathlib import Path

from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
# Seconds; a first cell may compile the crate.
PATIENCE = 3600
LONG = """
let mut protocol = Protocol::paper();
protocol.iterations = 30_000;
protocol.compare_with_progress(Function::Rosenbrock)?
"""


class Kernel:
    """A running kernel, and what its cells put out."""

    def __init__(self, folder, kernel=HERE / "kernel.sh"):
        specs = KernelSpecManager()
        self.manager = KernelManager(kernel_name="overparam", kernel_spec_manager=specs)
        self.manager.kernel_spec.argv[0] = str(kernel)
        self.manager.start_kernel(cwd=str(folder), stderr=open(os.devnull, "w"))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def begin(self, code):
        self.request = self.client.execute(code)

    def run(self, code):
        self.begin(code)
        return self.finish()

    def finish(self, until=None):
        """The text of all outputs, up to one that has `until` in it, or to the end."""
        text, timeout = "", PATIENCE
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=timeout)
            except queue.Empty:
                return text
            if message["parent_header"].get("msg_id") != self.request:
                continue
            content = message["content"]
            text += content.get("text", "") + content.get("evalue", "") + content.get("data", {}).get("text/plain", "")
            if until and until in text:
                return text
            if content.get("execution_state") == "idle":
                # Lines that the cell printed last may come after the end of the cell.
                timeout = 1

    def interrupt(self):
        self.manager.interrupt_kernel()

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def expect(name, text, *parts):
    missing = [part for part in parts if part not in text]
    print(f"{'ok    ' if not missing else 'FAILED'} {name}" + (f": no {missing} in:\n{text}" if missing else ""), flush=True)
    return not missing


def outside(temporary):
    kernel = Kernel(temporary)
    text = kernel.run("1 + 1")
    kernel.close()
    return expect("a notebook outside the project", text, "outside the project", "Move it into")


def another_evcxr(temporary):
    """A project that has everything but the right evcxr."""
    project = temporary / "project"
    shutil.copytree(HERE, project / "notebooks/lab")
    (project / ".lab/evcxr/bin").mkdir(parents=True)
    (project / ".lab/venv").symlink_to(sys.prefix)
    kernel = project / "notebooks/lab/kernel.sh"
    missing = Kernel(project, kernel)
    good = expect("no evcxr", missing.run("1 + 1"), "finds none", "make kernel")
    missing.close()
    program = project / ".lab/evcxr/bin/evcxr_jupyter"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (project / ".lab/evcxr/.crates.toml").write_text('[v1]\n"evcxr_jupyter 0.21.1 (registry)" = ["evcxr_jupyter"]\n')
    other = Kernel(project, kernel)
    good &= expect("another evcxr", other.run("1 + 1"), "finds 0.21.1", "make kernel")
    other.close()
    return good


def cells(temporary):
    """A wrong path, an error through `?`, a wrong shape, and an interruption."""
    os.environ["OVERPARAM_DATA"] = str(temporary / "data")
    kernel = Kernel(PROJECT / "notebooks")
    good = expect("a wrong path", kernel.run(':dep overparam = { path = "../nowhere" }'), "No such file", "../nowhere")
    load = ':dep overparam = { path = ".." }\nuse overparam::prelude::*;'
    kernel.run(load)
    text = kernel.run(
        "let protocol = Protocol::paper();\n"
        "let settings = protocol.settings(Function::Sphere).learning_rate(-1.0);\n"
        "protocol.run(Function::Sphere, Optimizer::Deep, 0, &settings)?"
    )
    good &= expect("an error through ?", text, "the learning rate must be a positive finite number", "not -1")
    text = kernel.run(
        "Shape::<4, 2, 2, 1, 5>::run(&Function::Sphere.objective::<6, f64>(0), Optimizer::Deep, 0, &Settings::default())?"
    )
    good &= expect("a wrong shape", text, "Objective<4, 5, ", "not satisfied")
    kernel.begin(LONG)
    good &= expect("progress in a cell", kernel.finish(until="finished runs are kept in"), "0%", "runs", "left")
    kernel.interrupt()
    good &= expect("an interruption", kernel.finish(), "terminated")
    # The process that runs the cells is new: what it had loaded is loaded again by itself, variables are gone.
    kernel.begin(LONG)
    text = kernel.finish(until="were finished before an interruption")
    good &= expect("picking up", text, "were finished before an interruption and are taken from")
    kernel.interrupt()
    kernel.finish()
    kernel.close()
    return good


def main():
    os.environ["JUPYTER_PATH"] = str(Path(sys.prefix) / "share/jupyter")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        temporary = Path(temporary)
        good = [outside(temporary), another_evcxr(temporary), cells(temporary)]
    if not all(good):
        sys.exit("mishaps: not all of them are explained")


if __name__ == "__main__":
    main()
