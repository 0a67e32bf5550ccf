"""Opens executed notebooks in JupyterLab in headless Chromium, with no network, and looks at what is drawn.

Usage: browse.py --screenshots FOLDER NOTEBOOK ...

A notebook is opened as someone opens it who has just cloned the project: not trusted, nothing run. Its figures must be drawn
by plotly, its tables and cards visible, the console without errors, and nothing asked of any other machine.
"""

import argparse
import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
import websocket

FIGURE = "application/vnd.plotly.v1+json"
# Seconds for JupyterLab to start or for a notebook to be drawn, on a slow machine.
PATIENCE = 120
# Points of the page; tall, so that few cells are out of sight.
SIZE = (1300, 1700)


# As `overparam` looks for one.
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"]


def find_browser():
    found = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        sys.exit("no chromium found; on Debian: apt-get install chromium (or set BROWSER_PATH)")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lab:
    """A JupyterLab with a configuration of its own."""

    def __init__(self, folder, state):
        self.port, self.token = free_port(), secrets.token_hex(16)
        environment = os.environ | {
            "JUPYTER_CONFIG_DIR": str(state / "config"),
            "JUPYTER_DATA_DIR": str(state / "data"),
            "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(state / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(state / "workspaces"),
        }
        # No kernel is started: what is tested is the file. No news are fetched.
        settings = state / "settings/@jupyterlab"
        (settings / "apputils-extension").mkdir(parents=True)
        (settings / "apputils-extension/notification.jupyterlab-settings").write_text(
            json.dumps({"fetchNews": "false", "checkForUpdates": False})
        )
        (settings / "notebook-extension").mkdir(parents=True)
        # Every cell is drawn, in sight or not.
        (settings / "notebook-extension/tracker.jupyterlab-settings").write_text(
            json.dumps({"windowingMode": "none", "autoStartDefaultKernel": False})
        )
        self.log = open(state / "lab.log", "w+")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={self.port}",
                "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={folder}",
            ],  # fmt: skip
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=2)
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.log.seek(0)
                    sys.exit(f"JupyterLab did not start:\n{self.log.read()[-2000:]}")
                time.sleep(0.3)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


class Page:
    """A page of a headless Chromium, driven through its DevTools protocol."""

    def __init__(self, browser, url):
        self.number, self.problems, self.urls = 0, [], []
        self.socket = websocket.create_connection(browser.new_page(), timeout=PATIENCE, suppress_origin=True)
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=SIZE[0], height=SIZE[1], deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)

    def call(self, method, **parameters):
        """The result of a command; what happens meanwhile is noted."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.note(message.get("method"), message.get("params", {}))

    def note(self, event, parameters):
        if event == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.problems.append(f"console: {parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif event == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            texts = [str(a.get("value", a.get("description", ""))) for a in parameters["args"]]
            self.problems.append(f"console: {' '.join(texts)}")
        elif event == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.problems.append(f"console: {details.get('exception', {}).get('description', details['text'])}")
        elif event in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            self.urls.append(parameters.get("request", parameters)["url"])

    def run(self, script):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def shoot(self, file):
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self.call("Page.close")
        self.socket.close()


class Browser:
    """A headless Chromium with a profile of its own."""

    def __init__(self, state):
        profile = state / "chromium"
        self.log = open(state / "chromium.log", "w+")
        self.process = subprocess.Popen(
            [
                find_browser(),
                "--headless=new",
                # Chromium refuses to run as root without.
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--no-first-run",
                f"--window-size={SIZE[0]},{SIZE[1]}",
                f"--user-data-dir={profile}",
                "--remote-debugging-port=0",
                # No network: every name but this machine's is unknown.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--disable-background-networking",
                "--disable-component-update",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # Chromium writes its port there.
        note, end = profile / "DevToolsActivePort", time.monotonic() + PATIENCE
        while not (note.exists() and note.read_text().count("\n")):
            if self.process.poll() is not None or time.monotonic() > end:
                self.log.seek(0)
                log = self.log.read()[-2000:]
                self.close()
                sys.exit(f"the browser did not start:\n{log}")
            time.sleep(0.1)
        self.address = f"http://127.0.0.1:{note.read_text().split()[0]}"

    def new_page(self):
        """The address of the DevTools of a new page."""
        request = urllib.request.Request(f"{self.address}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["webSocketDebuggerUrl"]

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


# What of an output is drawn. A figure is an SVG with a path for each trace.
COUNT = """
(() => {
if (!document.querySelector('.jp-Notebook')) return null;
const count = (selector) => [...document.querySelectorAll('.jp-Notebook ' + selector)].filter(
  (element) => element.getBoundingClientRect().height > 0).length;
return {
  figures: count('.js-plotly-plot svg.main-svg:first-of-type'),
  traces: count('.js-plotly-plot .scatterlayer .trace path, .js-plotly-plot .contourlayer path, .js-plotly-plot .cartesianlayer image'),
  undrawn: [...document.querySelectorAll('.jp-Notebook .js-plotly-plot')].filter(
    (plot) => !plot.querySelector('.trace path, .contour path, image')).length,
  tables: count('.jp-OutputArea-output table'),
  images: count('.jp-OutputArea-output img'),
  broken: [...document.querySelectorAll('.jp-OutputArea-output img')].filter((image) => !image.naturalWidth).length,
};
})()
"""

# Scrolls, and moves the mouse onto every figure: until then JupyterLab's extension shows its PNG.
NEAR = """
document.querySelector('.jp-WindowedPanel-outer')?.scrollTo(0, %d);
for (const image of document.querySelectorAll('.jp-RenderedPlotly img.plot-img'))
  if (image.style.display !== 'none') image.dispatchEvent(new MouseEvent('mouseenter'));
"""


def expected(path):
    outputs = [o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])]
    data = [o.get("data", {}) for o in outputs]
    return {
        "figures": sum(FIGURE in d for d in data),
        "tables": sum(d.get("text/html", "").count("<table") for d in data),
        "images": sum(d.get("text/html", "").count("<img") for d in data),
    }


def look(browser, lab, path, screenshots):
    """Opens a notebook; returns what is wrong with it."""
    want = expected(path)
    # A page of its own: leaving one would ask whether to save.
    page = Page(browser, f"{lab.url}/lab/workspaces/{path.stem}/tree/{path.name}?token={lab.token}")
    end, place = time.monotonic() + PATIENCE, 0
    while True:
        have = page.run(COUNT)
        if have and all(have[key] >= number for key, number in want.items()) and not have["undrawn"] + have["broken"]:
            break
        if time.monotonic() > end:
            break
        # What is far out of sight is drawn when it comes near.
        place = (place + 1) % 12
        page.run(NEAR % (1000 * place))
        time.sleep(0.5)
    # A question may be open, such as which kernel to take.
    page.run("document.querySelector('.jp-Dialog button.jp-mod-reject, .jp-Dialog button.jp-mod-accept')?.click()")
    time.sleep(1)
    problems = [] if have else ["the notebook did not open"]
    for key, number in want.items():
        if have and have[key] < number:
            problems.append(f"{have[key]} of {number} {key} drawn")
    if have and want["figures"] and not have["traces"]:
        problems.append("no figure has traces")
    if have and (have["undrawn"] or have["broken"]):
        problems.append(f"{have['undrawn']} figures without traces, {have['broken']} broken images")
    shoot(page, path, screenshots)
    problems += page.problems
    if not page.urls:
        problems.append("nothing was asked for, so the watch over the network does not work")
    problems += [
        f"asked for {url}" for url in page.urls if url.startswith(("http", "ws")) and f"//127.0.0.1:{lab.port}/" not in url
    ]
    page.close()
    print(f"{path.name}: {have}" + "".join(f"\n  {problem}" for problem in problems), flush=True)
    return problems


def shoot(page, path, screenshots):
    """One screenshot per page of the notebook."""
    panel = "document.querySelector('.jp-WindowedPanel-outer')"
    size = page.run(f"{panel} && [{panel}.scrollHeight, {panel}.clientHeight]")
    if not size:
        page.shoot(screenshots / f"{path.stem}.png")
        return
    height, visible = size
    for number in range(max(1, -(-height // visible))):
        page.run(f"{panel}.scrollTop = {number * visible}")
        time.sleep(0.3)
        page.shoot(screenshots / f"{path.stem}-{number + 1}.png")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--screenshots", type=Path, required=True)
    arguments.add_argument("notebooks", nargs="+", type=Path)
    arguments = arguments.parse_args()
    arguments.screenshots.mkdir(parents=True, exist_ok=True)
    failed = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        state = Path(temporary)
        # Copies: opening must not change a notebook, and none of them is trusted.
        folder = state / "notebooks"
        folder.mkdir()
        lab = Lab(folder, state)
        try:
            browser = Browser(state)
            try:
                for path in arguments.notebooks:
                    failed |= bool(look(browser, lab, Path(shutil.copy(path, folder)), arguments.screenshots))
            finally:
                browser.close()
        finally:
            lab.close()
    print(f"screenshots in {arguments.screenshots}")
    if failed:
        sys.exit("the notebooks are not shown as they should be")


if __name__ == "__main__":
    main()
