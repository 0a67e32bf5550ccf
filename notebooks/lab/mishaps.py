"""What goes wrong in a notebook, on purpose: each mishap must end in a sentence that says what to do.

Usage: mishaps.py
"""

import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
# Seconds; a first cell compiles the crate if its sources have changed.
PATIENCE = 600
LOAD = ':dep overparam = { path = "library" }\nuse overparam::prelude::*;'
# Minutes of runs.
LONG = """
let protocol = Protocol { iterations: 30_000, ..Protocol::paper() };
let sweep = protocol.sweep(Function::Rosenbrock);
let runs = sweep.run_with_progress(Dtype::F64)?;
"""


class Kernel:
    """A running kernel, and what its cells put out."""

    def __init__(self, folder, kernel=HERE / "kernel.sh", **environment):
        specs = KernelSpecManager()
        self.manager = KernelManager(kernel_name="overparam", kernel_spec_manager=specs)
        self.manager.kernel_spec.argv[0] = str(kernel)
        self.manager.start_kernel(cwd=str(folder), stderr=subprocess.DEVNULL, env=os.environ | environment)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def begin(self, code):
        # The number of times that a display has changed.
        self.updates = 0
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
            self.updates += message["msg_type"] == "update_display_data"
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


def script(path, *lines):
    """A program that stands in for another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def before(folder):
    """The environment in which the programs of `folder` are found before all others."""
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def set_up(temporary):
    """Setting up without what it needs: Python as Debian has it without python3-venv, and a cargo without a registry."""
    project = temporary / "bare"
    shutil.copytree(HERE, project / "notebooks/lab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE.parent / "requirements.txt", project / "notebooks")
    script(temporary / "no-venv/python3", 'echo "ensurepip is not available"', "exit 1")
    script(temporary / "no-cargo/cargo", "exit 101")

    def attempt(folder):
        done = subprocess.run(
            [project / "notebooks/lab/setup.sh"], env=os.environ | before(temporary / folder), capture_output=True, text=True
        )
        return done.stderr + f"exit status <{done.returncode}>"

    good = expect("no python3-venv", attempt("no-venv"), "apt-get install python3-venv", "exit status <1>")
    # The environment is there: this is about the kernel alone.
    (project / ".lab").mkdir(exist_ok=True)
    (project / ".lab/venv").symlink_to(sys.prefix)
    text = attempt("no-cargo")
    return good & expect("no registry", text, "could not be installed", "is crates.io reachable", "exit status <1>")


def refusals(temporary):
    """Kernels that cannot start: a full disk, by what df says of it; a notebook outside the project; no evcxr, and another one."""

    def answer(folder, *kernel, **environment):
        kernel = Kernel(folder, *kernel, **environment)
        text = kernel.run("1 + 1")
        kernel.close()
        return text

    script(temporary / "full/df", "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'", "echo 'disk 9 9 102400 9% /'")
    text = answer(PROJECT / "notebooks", **before(temporary / "full"))
    good = expect("no room", text, "There are 100 MiB free", ".lab/sessions", "Make room")
    good &= expect("a notebook outside the project", answer(temporary), "outside the project", "Move it into")
    # A project that has everything but the right evcxr.
    project = temporary / "project"
    shutil.copytree(HERE, project / "notebooks/lab")
    (project / ".lab").mkdir()
    (project / ".lab/venv").symlink_to(sys.prefix)
    kernel = project / "notebooks/lab/kernel.sh"
    good &= expect("no evcxr", answer(project, kernel), "finds none", "make kernel")
    script(project / ".lab/evcxr/bin/evcxr_jupyter")
    (project / ".lab/evcxr/.crates.toml").write_text('[v1]\n"evcxr_jupyter 0.21.1 (registry)" = ["evcxr_jupyter"]\n')
    return good & expect("another evcxr", answer(project, kernel), "finds 0.21.1", "make kernel")


def cells(temporary):
    """A wrong path, an error through `?`, a wrong shape, a figure without a browser, a column of another cell's table."""
    kernel = Kernel(PROJECT / "notebooks", BROWSER_PATH=str(temporary / "nowhere"))
    good = expect("a wrong path", kernel.run(':dep overparam = { path = "../nowhere" }'), "../nowhere", "relative to the notebook's folder")
    text = kernel.run(':dep overparam = { path = "/nowhere" }')
    good &= expect("a wrong path from the root", text, "/nowhere", "relative to the notebook's folder")
    kernel.run(LOAD)
    kernel.run(
        "let protocol = Protocol::paper();\n"
        "let settings = protocol.settings(Function::Sphere).iterations(30);\n"
        "let run = protocol.run(Function::Sphere, Optimizer::Deep, 0, &settings)?;\nlet table = run.trace()?;"
    )
    good &= expect("a column by its name", kernel.run('table.column("seconds")?.len() == run.samples.len()'), "true")
    text = kernel.run("protocol.run(Function::Sphere, Optimizer::Deep, 0, &settings.learning_rate(-1.0))?")
    good &= expect("an error through ?", text, "the learning rate must be a positive finite number", "not -1")
    text = kernel.run(
        "Shape::<4, 2, 2, 1, 5>::run(&Function::Sphere.objective::<6, f64>(0), Optimizer::Deep, 0, &Settings::default())?"
    )
    good &= expect("a wrong shape", text, "Objective<4, 5, ", "not satisfied")
    text = kernel.run("figure1()")
    good &= expect("no chromium", text, "a figure, interactive only", "apt-get install chromium")
    kernel.close()
    return good


def interrupts(temporary):
    """Interrupts of runs, which end with all variables, and of anything else, which ends the process that runs the cells."""
    kernel = Kernel(PROJECT / "notebooks", OVERPARAM_DATA=str(temporary / "data"))
    kernel.run("let number = 41;")
    kernel.begin("while std::hint::black_box(true) {}")
    time.sleep(3)
    kernel.interrupt()
    good = expect("without the crate", kernel.finish(), "terminated", "run the cells again from the top")
    kernel.run(f"{LOAD}\nlet number = 41;")
    kernel.begin(LONG)
    text = kernel.finish(until="finished runs are kept in")
    # The first runs are still under way, on a fast machine.
    while (kernel.updates < 4 or " left" not in text) and (more := kernel.finish(until=" left")):
        text += more
    good &= expect("progress in a cell", text, "0% 0/", " a second, ", " left")
    good &= expect("in place", "updates" if kernel.updates > 3 else "", "updates")
    kernel.interrupt()
    text = kernel.finish()
    kept = re.search(r"interrupted: (\d+) of (\d+) runs kept", text)
    good &= expect("an interruption", text if kept and 0 < int(kept[1]) < int(kept[2]) else "", "interrupted")
    good &= expect("its variables", kernel.run("number + 1"), "42")
    text = kernel.run('println!("{} runs, stopped ones among them", runs.len());')
    found = re.search(r"(\d+) runs", text)
    good &= expect("its runs", text if kept and found and int(found[1]) >= int(kept[1]) else "", "runs")
    # While nothing runs, an interrupt is for nothing.
    kernel.interrupt()
    time.sleep(3)
    text = kernel.run("protocol.run(Function::Sphere, Optimizer::Deep, 0, &protocol.settings(Function::Sphere).iterations(40))?")
    good &= expect("the next run", text, "40 iterations", "finished")
    good &= expect("between cells", kernel.run("number + 1"), "42")
    kernel.begin("std::thread::sleep(std::time::Duration::from_secs(600));")
    time.sleep(3)
    kernel.interrupt()
    good &= expect("what does not listen", kernel.finish(), "does not look for interrupts", "run the cells again from the top")
    # The process that runs the cells is new: what it had loaded is loaded again by itself, variables are gone.
    kernel.begin(LONG)
    text = kernel.finish(until="were finished before an interruption")
    good &= expect("picking up", text, "were finished before an interruption and are taken from")
    for _ in range(2):
        kernel.interrupt()
        time.sleep(0.2)
    kernel.finish()
    kernel.close()
    return good


def main():
    os.environ["JUPYTER_PATH"] = str(Path(sys.prefix) / "share/jupyter")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        temporary = Path(temporary)
        good = [mishap(temporary) for mishap in (set_up, refusals, cells, interrupts)]
    if not all(good):
        sys.exit("mishaps: not all of them are explained")


if __name__ == "__main__":
    main()
