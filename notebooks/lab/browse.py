"""Opens executed notebooks in JupyterLab in headless Chromium, with no network, and looks at what is drawn.

Usage: browse.py --screenshots FOLDER NOTEBOOK ...

A notebook is opened as someone opens it who has just cloned the project: not trusted, nothing run. Its figures must be drawn
by plotly, its tables and cards visible, the console without errors, and nothing asked of any other machine.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

FIGURE = "application/vnd.plotly.v1+json"
# Seconds for JupyterLab to start or for a notebook to be drawn, on a slow machine.
PATIENCE = 120
# Points of the page; tall, so that few cells are out of sight.
SIZE = {"width": 1300, "height": 1700}
# As `overparam` looks for one.
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"]
# No news are fetched; every cell is drawn, in sight or not; no kernel is started: what is tested is the file.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": False},
}


@contextlib.contextmanager
def jupyterlab(folder, state):
    """The address and the token of a JupyterLab with a configuration of its own."""
    for name, settings in SETTINGS.items():
        file = state / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(settings))
    folders = {f"JUPYTER_{name}_DIR": str(state / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    folders |= {f"JUPYTERLAB_{name}_DIR": str(state / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address, token = f"http://127.0.0.1:{probe.getsockname()[1]}", "browse"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={address.rsplit(':', 1)[1]}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    log = state / "lab.log"
    with open(log, "w") as output:
        process = subprocess.Popen(command, env=os.environ | folders, stdout=output, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=2)
                break
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.3)
        yield address, token
    finally:
        process.terminate()
        process.wait(20)


# What of an output is drawn. A figure is an SVG with a path for each trace.
COUNT = """
() => {
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
}
"""
# Scrolls, and moves the mouse onto every figure: until then JupyterLab's extension shows its PNG.
NEAR = """
(place) => {
document.querySelector('.jp-WindowedPanel-outer')?.scrollTo(0, place);
for (const image of document.querySelectorAll('.jp-RenderedPlotly img.plot-img'))
  if (image.style.display !== 'none') image.dispatchEvent(new MouseEvent('mouseenter'));
}
"""
PANEL = "document.querySelector('.jp-WindowedPanel-outer')"


def expected(path):
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    data = [output.get("data", {}) for output in outputs]
    return {
        "figures": sum(FIGURE in formats for formats in data),
        "tables": sum(formats.get("text/html", "").count("<table") for formats in data),
        "images": sum(formats.get("text/html", "").count("<img") for formats in data),
    }


def look(browser, address, token, path, screenshots):
    """Opens a notebook; returns what is wrong with it."""
    want, problems, urls = expected(path), [], []
    page = browser.new_page(viewport=SIZE)
    page.on("console", lambda message: message.type in ("error", "assert") and problems.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"console: {error}"))
    page.on("request", lambda request: urls.append(request.url))
    page.on("websocket", lambda connection: urls.append(connection.url))
    page.goto(f"{address}/lab/workspaces/{path.stem}/tree/{path.name}?token={token}")
    end, place = time.monotonic() + PATIENCE, 0
    while True:
        have = page.evaluate(COUNT)
        drawn = have and all(have[key] >= number for key, number in want.items()) and not have["undrawn"] + have["broken"]
        if drawn or time.monotonic() > end:
            break
        # What is far out of sight is drawn when it comes near.
        place = (place + 1000) % 12_000
        page.evaluate(NEAR, place)
        page.wait_for_timeout(500)
    # A question may be open, such as which kernel to take.
    page.evaluate("document.querySelector('.jp-Dialog button.jp-mod-reject, .jp-Dialog button.jp-mod-accept')?.click()")
    page.wait_for_timeout(1000)
    if not have:
        problems.append("the notebook did not open")
    elif not drawn or (want["figures"] and not have["traces"]):
        problems.append(f"not all is drawn of {want}")
    height, visible = page.evaluate(f"{PANEL} && [{PANEL}.scrollHeight, {PANEL}.clientHeight]") or (1, 1)
    for number in range(-(-height // visible)):
        page.evaluate(f"{PANEL}?.scrollTo(0, {number * visible})")
        page.wait_for_timeout(300)
        page.screenshot(path=screenshots / f"{path.stem}-{number + 1}.png")
    if not urls:
        problems.append("nothing was asked for, so the watch over the network does not work")
    ours = (address, address.replace("http", "ws", 1))
    problems += [f"asked for {url}" for url in urls if url.startswith(("http", "ws")) and not url.startswith(ours)]
    page.close()
    print(f"{path.name}: {have}" + "".join(f"\n  {problem}" for problem in problems), flush=True)
    return problems


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--screenshots", type=Path, required=True)
    arguments.add_argument("notebooks", nargs="+", type=Path)
    arguments = arguments.parse_args()
    arguments.screenshots.mkdir(parents=True, exist_ok=True)
    program = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        sys.exit("no chromium found; on Debian: apt-get install chromium (or set BROWSER_PATH)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        state = Path(temporary)
        # Copies: opening must not change a notebook, and none of them is trusted.
        folder = state / "notebooks"
        folder.mkdir()
        # No network: every name but this machine's is unknown. Chromium refuses to run as root in a sandbox.
        network = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        with jupyterlab(folder, state) as (address, token), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=[network], chromium_sandbox=False)
            copies = [Path(shutil.copy(path, folder)) for path in arguments.notebooks]
            failed = [path for path in copies if look(browser, address, token, path, arguments.screenshots)]
            browser.close()
    print(f"screenshots in {arguments.screenshots}")
    if failed:
        sys.exit("the notebooks are not shown as they should be")


if __name__ == "__main__":
    main()
