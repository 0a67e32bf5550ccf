"""Stands between evcxr's outputs and Jupyter, and adds to an error what to do about it.

Usage: relay.py CONNECTION_FILE NEW_CONNECTION_FILE. Jupyter listens where CONNECTION_FILE says; evcxr is to be started with
NEW_CONNECTION_FILE, which differs in the port of the outputs alone: requests, interrupts and input do not pass here. Every
message is handed on as it is, but for errors with a known cause. Ends with the process that started it.
"""

import contextlib
import hashlib
import hmac
import json
import os
import random
import re
import socket
import sys
import time
from pathlib import Path

import zmq

# What is found in an error, and what is said about it.
ADVICE = [
    (
        r'^No such file or directory \(os error 2\): "|failed to load source for dependency|failed to read `.*Cargo\.toml`',
        "The path in :dep is relative to the notebook's folder. From notebooks/ of the project it is two dots: "
        ':dep overparam = {{ path = ".." }}',
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "The disk is full. Make room (removing {lab}/cache and {lab}/sessions costs one slow start), then restart the kernel.",
    ),
    (
        r"Could not resolve host|download of config\.json failed|failed to download|no matching package named",
        "A crate is not on this machine yet, and its registry was not reached. The first cell ever run needs the network, and so "
        "does a new :dep; after that nothing does.",
    ),
    (
        r"Subprocess terminated|Child process terminated",
        "The process that runs the cells is gone, and with it all variables: run the cells again from the top. Runs that were "
        "finished with progress shown are taken up again, not computed anew.",
    ),
]
# Between the addresses of a message and its signature, header, parent, metadata and content.
DELIMITER = b"<IDS|MSG>"
# Seconds that the port of a kernel that is just ending may still be taken.
PATIENCE = 10


def advise(content, lab):
    """The content of an error with a sentence about it, or None."""
    text = "\n".join([content.get("evalue", ""), *content.get("traceback", [])])
    for pattern, sentence in ADVICE:
        if re.search(pattern, text, re.MULTILINE):
            sentence = sentence.format(lab=lab)
            evalue = f"{content.get('evalue', '')}\n{sentence}"
            return content | {"evalue": evalue, "traceback": [*content.get("traceback", []), "", sentence]}
    return None


def rewrite(frames, key, lab):
    at = frames.index(DELIMITER) if DELIMITER in frames else len(frames)
    if len(frames) < at + 6 or json.loads(frames[at + 2]).get("msg_type") != "error":
        return frames
    content = advise(json.loads(frames[at + 5]), lab)
    if content is None:
        return frames
    frames[at + 5] = json.dumps(content).encode()
    if key:
        frames[at + 1] = hmac.new(key, b"".join(frames[at + 2 : at + 6]), hashlib.sha256).hexdigest().encode()
    return frames


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
    starter = os.getppid()
    lab = Path(__file__).resolve().parents[2] / ".lab"
    connection = json.loads(outer.read_text())
    key = connection["key"].encode()
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
    temporary = inner.with_suffix(".part")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(connection, file)
    os.replace(temporary, inner)
    while os.getppid() == starter:
        if evcxr.poll(500):
            jupyter.send_multipart(rewrite(evcxr.recv_multipart(), key, lab))


if __name__ == "__main__":
    main()
