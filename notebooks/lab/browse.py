"""Opens executed notebooks in JupyterLab in headless Chromium, with no network, and looks at what is drawn.

Usage: browse.py --screenshots FOLDER NOTEBOOK ...

A notebook is opened as someone opens it who has just cloned the project: not trusted, nothing run. Its figures must be drawn
by plotly, its tables and cards visible, the console without errors, and nothing asked of any other machine.
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

FIGURE = "application/vnd.plotly.v1+json"
# Seconds for JupyterLab to start or for a notebook to be drawn, on a slow machine.
PATIENCE = 120
# Points of the page; tall, so that few cells are out of sight.
SIZE = (1300, 1700)


def find(variable, *names):
    found = os.environ.get(variable) or next(filter(None, map(shutil.which, names)), None)
    if not found:
        sys.exit(f"no {names[0]} found; on Debian: apt-get install chromium chromium-driver (or set {variable})")
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


def browser(state):
    options = Options()
    options.binary_location = find("BROWSER_PATH", "chromium", "chromium-browser", "google-chrome")
    for argument in [
        "--headless=new",
        # Chromium refuses to run as root without.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        f"--window-size={SIZE[0]},{SIZE[1]}",
        f"--user-data-dir={state / 'chromium'}",
        # No network: every name but this machine's is unknown.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--disable-background-networking",
        "--disable-component-update",
    ]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(find("WEBDRIVER_PATH", "chromedriver")))


# What of an output is drawn. A figure is an SVG with a path for each trace.
COUNT = """
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
"""

# Scrolls, and moves the mouse onto every figure: until then JupyterLab's extension shows its PNG.
NEAR = """
document.querySelector('.jp-WindowedPanel-outer')?.scrollTo(0, arguments[0]);
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


def look(driver, lab, path, screenshots):
    """Opens a notebook; returns what is wrong with it."""
    want = expected(path)
    # A page of its own: leaving one would ask whether to save, which the console notes as an error.
    driver.switch_to.new_window("tab")
    driver.get(f"{lab.url}/lab/workspaces/{path.stem}/tree/{path.name}?token={lab.token}")
    end, page = time.monotonic() + PATIENCE, 0
    while True:
        have = driver.execute_script(COUNT) if driver.find_elements(By.CSS_SELECTOR, ".jp-Notebook") else {}
        if have and all(have[key] >= number for key, number in want.items()) and not have["undrawn"] + have["broken"]:
            break
        if time.monotonic() > end:
            break
        # What is far out of sight is drawn when it comes near.
        page = (page + 1) % 12
        driver.execute_script(NEAR, 1000 * page)
        time.sleep(0.5)
    # A question may be open, such as which kernel to take.
    for button in driver.find_elements(By.CSS_SELECTOR, ".jp-Dialog button.jp-mod-reject, .jp-Dialog button.jp-mod-accept")[:1]:
        button.click()
    time.sleep(1)
    problems = [] if have else ["the notebook did not open"]
    for key, number in want.items():
        if have and have[key] < number:
            problems.append(f"{have[key]} of {number} {key} drawn")
    if have and want["figures"] and not have["traces"]:
        problems.append("no figure has traces")
    if have and (have["undrawn"] or have["broken"]):
        problems.append(f"{have['undrawn']} figures without traces, {have['broken']} broken images")
    problems += [f"console: {entry['message']}" for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            url = message["params"].get("request", message["params"])["url"]
            if url.startswith(("http", "ws")) and f"//127.0.0.1:{lab.port}/" not in url:
                problems.append(f"asked for {url}")
    shoot(driver, path, screenshots)
    print(f"{path.name}: {have}" + "".join(f"\n  {problem}" for problem in problems), flush=True)
    return problems


def shoot(driver, path, screenshots):
    """A screenshot a page of the notebook."""
    panel = driver.find_elements(By.CSS_SELECTOR, ".jp-WindowedPanel-outer")
    if not panel:
        driver.save_screenshot(screenshots / f"{path.stem}.png")
        return
    height, page = driver.execute_script("return [arguments[0].scrollHeight, arguments[0].clientHeight]", panel[0])
    for number in range(max(1, -(-height // page))):
        driver.execute_script("arguments[0].scrollTop = arguments[1]", panel[0], number * page)
        time.sleep(0.3)
        driver.save_screenshot(screenshots / f"{path.stem}-{number + 1}.png")


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
            driver = browser(state)
            try:
                for path in arguments.notebooks:
                    failed |= bool(look(driver, lab, Path(shutil.copy(path, folder)), arguments.screenshots))
            finally:
                driver.quit()
        finally:
            lab.close()
    print(f"screenshots in {arguments.screenshots}")
    if failed:
        sys.exit("the notebooks are not shown as they should be")


if __name__ == "__main__":
    main()
