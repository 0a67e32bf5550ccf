"""A kernel that runs nothing: it answers every cell with the sentence it was started with.

Usage: explain.py CONNECTION_FILE SENTENCE. A kernel that just ends is shown as "died", with its reason in a log that
nobody reads.
"""

import sys

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

SENTENCE = sys.argv[2]


class Explain(Kernel):
    implementation = "explain"
    implementation_version = "1"
    banner = SENTENCE
    language_info = {"name": "rust", "mimetype": "text/rust", "file_extension": ".rs"}

    async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_):
        error = {"ename": "Not started", "evalue": SENTENCE, "traceback": [SENTENCE]}
        if not silent:
            self.send_response(self.iopub_socket, "error", error)
        return {"status": "error", "execution_count": self.execution_count, **error}


IPKernelApp.launch_instance(argv=["-f", sys.argv[1]], kernel_class=Explain)
