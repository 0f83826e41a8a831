"""Takes the pictures of the README anew: python docs/pictures/take.py [FOLDER]; needs Chromium, playwright and tasuki.

Runs the demo once in each language (in FOLDER/en and FOLDER/ja, or in a folder that is thrown away), serves its pages,
and writes the board and an experiment to docs/pictures/. A demo that has run there already is used as it is.
"""

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
SHOTS = {"board": ("/", 760), "experiment": ("/experiments/recency-comparison", 760)}
LARGEST = 250_000


@contextlib.contextmanager
def served(workspace: Path) -> Iterator[str]:
    """The address of a workspace's pages."""
    command = [sys.executable, "-m", "tasuki.cli", "serve", "--workspace", str(workspace), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        stuck = threading.Timer(60, process.terminate)
        stuck.start()
        try:
            lines = iter(process.stdout or ())
            address = next(word for line in lines for word in line.split() if word.startswith("http://")).rstrip("/")
            _wait_until_it_answers(address)
            yield address
        finally:
            stuck.cancel()
            process.terminate()


def _wait_until_it_answers(address: str) -> None:
    """The address is printed just before the server listens; on a busy machine a browser can be faster."""
    for _ in range(200):
        try:
            httpx.get(f"{address}/health")
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"{address} does not answer")


def main(folder: Path) -> None:
    """Each picture in each language."""
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for language in ("en", "ja"):
            workspace = folder / language
            demo = ["demo", "--workspace", str(workspace), "--language", language, "--no-serve"]
            subprocess.run([sys.executable, "-m", "tasuki.cli", *demo], check=True)
            with served(workspace) as address:
                for name, (path, height) in SHOTS.items():
                    page = browser.new_page(locale=language, viewport={"width": 1280, "height": height})
                    page.goto(address + path)
                    file = HERE / f"{name}-{language}.png"
                    page.screenshot(path=str(file))
                    print(file, file.stat().st_size)
                    assert file.stat().st_size <= LARGEST, f"{file} is larger than {LARGEST} bytes"
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
