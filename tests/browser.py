"""A real Chromium, driven over its own pipe (DevTools protocol, messages end in NUL): no driver, no package."""

import base64
import contextlib
import itertools
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
]  # fmt: skip


class Page:
    """One tab. `script=False` turns the page's JavaScript off; `evaluate` works all the same."""

    def __init__(self, send):
        self._send = send

    def __call__(self, method, **params):
        return self._send(method, params)

    def look(self, width=1280, height=900, dark=False, script=False):
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self("Emulation.setEmulatedMedia", features=[scheme])
        self("Emulation.setScriptExecutionDisabled", value=not script)

    def open(self, url):
        self("Page.navigate", url=url)
        self.wait(f"location.href.startsWith({json.dumps(url.split('?')[0])})")

    def evaluate(self, expression):
        found = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, expression, seconds=15):
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError, RuntimeError):  # between two pages there is no context
                if self.evaluate(f"document.readyState == 'complete' && !!document.body && ({expression})"):
                    return
            assert time.monotonic() < until, f"never came true: {expression}\n{self.text()[:500]}"
            time.sleep(0.02)

    def text(self):
        return self.evaluate("document.body.innerText")

    def type(self, text):
        self("Input.insertText", text=text)

    def press(self, key, code):
        for kind in ("rawKeyDown", "char", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "char" else {}
            if kind != "char" or text:
                self("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def submit(self, selector):
        """Press the button as a person would: focus it, then Enter."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.press("Enter", 13)

    def picture(self, path, full=True):
        shot = self("Page.captureScreenshot", captureBeyondViewport=full, **({"clip": self._whole()} if full else {}))
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def _whole(self):
        size = self("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}


@contextlib.contextmanager
def page():
    """Start Chromium with an empty profile and give its first tab."""
    to_browser, ours = os.pipe()
    theirs, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The shell puts the two pipes on descriptors 3 and 4, where Chromium looks for them.
        command = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        process = subprocess.Popen(
            ["bash", "-c", command, "sh", CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser), os.close(from_browser)
        try:
            with os.fdopen(theirs, "rb", buffering=0) as answers:
                call = _caller(ours, answers)
                tab = next(t for t in call("Target.getTargets", {})["targetInfos"] if t["type"] == "page")
                session = call("Target.attachToTarget", {"targetId": tab["targetId"], "flatten": True})["sessionId"]
                found = Page(lambda method, params: call(method, params, session))
                found("Page.enable")
                yield found
                call("Browser.close", {})
        finally:
            os.close(ours)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _caller(ours, answers):
    numbers, rest = itertools.count(1), bytearray()

    def call(method, params, session=None):
        nonlocal rest
        number = next(numbers)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(ours, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in rest:
                part = answers.read(1 << 20)
                if not part:
                    raise RuntimeError("Chromium is gone")
                rest += part
            text, _, rest = rest.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    return call
