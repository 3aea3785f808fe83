"""The desktop's page in a real browser: Debian's Chromium, headless, driven by Playwright (page_driver.mjs)."""
import json
import pathlib
import shutil
import subprocess

from .daemon import ROOT

PLAYWRIGHT, SHOTS = ROOT / "build/tools/playwright-core", ROOT / "build/test/page"


def missing():
    """What is not here, or None."""
    for program in ("node", "chromium"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return None if (PLAYWRIGHT / "index.mjs").exists() else "Playwright was not fetched from npm"


class Page:
    def __init__(self):
        SHOTS.mkdir(parents=True, exist_ok=True)
        driver = pathlib.Path(__file__).with_name("page_driver.mjs")
        self.process = subprocess.Popen(["node", driver, PLAYWRIGHT, shutil.which("chromium"), SHOTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __getattr__(self, deed):
        def do(**order):
            self.process.stdin.write(json.dumps({"do": deed, **order}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"{deed}: the browser has ended")
            answer = json.loads(line)
            if "failed" in answer:
                raise AssertionError(f"{deed} {order}: {answer['failed']}")
            return answer["ok"]
        return do

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)
