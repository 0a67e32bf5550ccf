"""Stands between evcxr and Jupyter for what evcxr has no words for.

Usage: relay.py CONNECTION_FILE NEW_CONNECTION_FILE. Jupyter listens where CONNECTION_FILE says; evcxr is to be started with
NEW_CONNECTION_FILE, which differs in the port of the outputs alone: requests and input do not pass here. Of the messages, errors with a known
cause get a sentence on what to do, and lines of progress (src/progress.rs) become a display that is updated. An interrupt ends the process
that runs the cells, unless that process waits for interrupts itself. Ends with the process that started it.
"""

import contextlib
import hashlib
import hmac
import json
import os
import random
import re
import signal
import socket
import sys
import time
from pathlib import Path

import zmq

# What is found in an error, and what is said about it.
ADVICE = [
    (
        r'^No such file or directory \(os error 2\): "|failed to load source for dependency|failed to read `.*Cargo\.toml`',
        "The path in :dep is relative to the notebook's folder. In notebooks/ of the project it is: "
        ':dep overparam = { path = "library" }',
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "The disk is full. Make room, then restart the kernel.",
    ),
    (
        r"Could not resolve host|download of config\.json failed|failed to download|no matching package named",
        "A crate is not on this machine yet, and its registry was not reached. A new :dep needs the network; nothing else does.",
    ),
    (
        r"Subprocess terminated|Child process terminated",
        "The process that runs the cells is gone, and with it all variables: run the cells again from the top. Runs that were "
        "finished with progress shown are taken up again, not computed anew.",
    ),
]
DISPLAY = "\x1b]overparam-display "
# Between the addresses of a message and its signature, header, parent, metadata and content.
DELIMITER = b"<IDS|MSG>"
# Seconds that the port of a kernel that is just ending may still be taken.
PATIENCE = 10


class Outputs:
    """Messages from evcxr, as Jupyter gets them."""

    def __init__(self, key):
        self.key, self.displays, self.running = key, set(), False

    def rewrite(self, frames):
        at = frames.index(DELIMITER) if DELIMITER in frames else len(frames)
        if len(frames) < at + 6:
            return frames
        header, parent, content = (json.loads(frames[at + part]) for part in (2, 3, 5))
        kind = header.get("msg_type")
        if kind == "status" and parent.get("msg_type") == "execute_request":
            self.running = content["execution_state"] == "busy"
        if kind == "error":
            advise(content)
        elif kind == "stream" and content["text"].startswith(DISPLAY):
            name, text = content["text"].removeprefix(DISPLAY).rstrip("\n").split(" ", 1)
            header["msg_type"] = "update_display_data" if name in self.displays else "display_data"
            self.displays.add(name)
            content = {"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": name}}
        else:
            return frames
        frames[at + 2], frames[at + 5] = json.dumps(header).encode(), json.dumps(content).encode()
        if self.key:
            frames[at + 1] = hmac.new(self.key, b"".join(frames[at + 2 : at + 6]), hashlib.sha256).hexdigest().encode()
        return frames


def advise(content):
    """Adds to an error a sentence about it."""
    text = "\n".join([content.get("evalue", ""), *content.get("traceback", [])])
    for pattern, sentence in ADVICE:
        if re.search(pattern, text, re.MULTILINE):
            content["evalue"] = f"{content.get('evalue', '')}\n{sentence}"
            content["traceback"] = [*content.get("traceback", []), "", sentence]
            return


def end_deaf(kernel):
    """Ends the process that runs the cells if it does not wait for interrupts: nothing of ours has run in it."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, KeyError, ValueError):
            status = dict(line.split(":\t") for line in (process / "status").read_text().splitlines())
            ours = status["PPid"] == str(kernel) and b"EVCXR_IS_RUNTIME=" in (process / "environ").read_bytes()
            if ours and not int(status["SigCgt"], 16) >> (signal.SIGINT - 1) & 1:
                os.kill(int(process.name), signal.SIGKILL)


def free_port(ip):
    """A port that stays free until evcxr takes it: none of those that the system gives to whoever asks for any, which Jupyter
    has chosen the others from, and from which an attempt to connect may be made before evcxr listens."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((ip, port))
            return port


def main():
    outer, inner = map(Path, sys.argv[1:])
    # kernel.sh, in whose place evcxr will be.
    kernel = os.getppid()
    connection = json.loads(outer.read_text())
    address = f"{connection['transport']}://{connection['ip']}:"
    context = zmq.Context()
    jupyter, evcxr = context.socket(zmq.PUB), context.socket(zmq.SUB)
    for end in (jupyter, evcxr):
        end.setsockopt(zmq.LINGER, 1000)
        # No message is dropped because the other side is slow.
        end.setsockopt(zmq.SNDHWM, 0)
        end.setsockopt(zmq.RCVHWM, 0)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            jupyter.bind(address + str(connection["iopub_port"]))
            break
        except zmq.ZMQError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    connection["iopub_port"] = free_port(connection["ip"])
    evcxr.subscribe(b"")
    evcxr.setsockopt(zmq.RECONNECT_IVL, 20)
    evcxr.connect(address + str(connection["iopub_port"]))
    outputs = Outputs(connection["key"].encode())
    signal.signal(signal.SIGINT, lambda *_: outputs.running and end_deaf(kernel))
    temporary = inner.with_suffix(".part")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(connection, file)
    os.replace(temporary, inner)
    while os.getppid() == kernel:
        if evcxr.poll(500):
            jupyter.send_multipart(outputs.rewrite(evcxr.recv_multipart()))


if __name__ == "__main__":
    main()
