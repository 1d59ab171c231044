# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, driven by its DevTools protocol over two pipes: no driver, no library.

A headless browser shows no password dialog. What would open one is told as Fetch.authRequired, and answered as a person
would: with the next login of `person`, or by Cancel."""
import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections import namedtuple
from pathlib import Path

from lab.process import poll

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
         "--remote-debugging-pipe")

Seen = namedtuple("Seen", "status url headers")


class Chromium:
    def __init__(self):
        program = shutil.which("chromium")
        if not program:
            raise RuntimeError("chromium is not installed (Debian: chromium)")
        self.profile = tempfile.mkdtemp(prefix="authstatus-chromium-")
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()

        def place_pipes():
            """Chromium reads from 3 and writes to 4."""
            one, other = os.dup(commands), os.dup(answers)
            os.dup2(one, 3)
            os.dup2(other, 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"], preexec_fn=place_pipes, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": self.profile, "LC_ALL": "C.UTF-8"})
        os.close(commands)
        os.close(answers)
        self._number = 0
        self._answers = {}
        self._arrived = threading.Condition()
        self._events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._handle_events, daemon=True).start()

    # -- the protocol

    def _read(self):
        rest = b""
        while data := os.read(self._from, 1 << 20):
            *messages, rest = (rest + data).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    with self._arrived:
                        self._answers[message["id"]] = message
                        self._arrived.notify_all()
                else:
                    self._events.put(message)

    def post(self, method, session=None, **parameters):
        with self._arrived:
            self._number += 1
            number = self._number
            message = {"id": number, "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
            os.write(self._to, json.dumps(message).encode() + b"\0")
        return number

    def call(self, method, session=None, seconds=180, **parameters):
        number = self.post(method, session, **parameters)
        with self._arrived:
            if not self._arrived.wait_for(lambda: number in self._answers, seconds):
                raise TimeoutError(method)
            message = self._answers.pop(number)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    def _handle_events(self):
        while True:
            message = self._events.get()
            if page := Page.all.get(message.get("sessionId")):
                page.event(message["method"], message["params"])

    def close(self):
        try:
            self.call("Browser.close", seconds=60)
            self.process.wait(60)
        except (TimeoutError, OSError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, 9)
            self.process.wait(60)
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """A tab of a profile of its own: it has no password and no cookie of another's."""
    all = {}

    def __init__(self, browser, person=()):
        self.browser = browser
        self.person = list(person)
        self.queried = []    # the challenges that would have opened a dialog
        self.seen = []     # answers that pages were made of
        self.fetched = []  # all others
        self._loaded = threading.Event()
        self._loads = set()  # those that have ended, by their loader: that of about:blank may end late
        context = browser.call("Target.createBrowserContext")["browserContextId"]
        self._target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        Page.all[self._session] = self
        for method in ("Page.enable", "Network.enable", "Runtime.enable"):
            self.call(method)
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        self.call("Fetch.enable", handleAuthRequests=True, patterns=[{"urlPattern": "*"}])

    def call(self, method, **parameters):
        return self.browser.call(method, self._session, **parameters)

    def event(self, method, parameters):
        if method == "Fetch.requestPaused":
            self.browser.post("Fetch.continueRequest", self._session, requestId=parameters["requestId"])
        elif method == "Fetch.authRequired":
            self.queried.append(parameters["authChallenge"])
            if self.person:
                user, password = self.person.pop(0)
                answer = {"response": "ProvideCredentials", "username": user, "password": password}
            else:
                answer = {"response": "CancelAuth"}
            self.browser.post("Fetch.continueWithAuth", self._session, requestId=parameters["requestId"],
                              authChallengeResponse=answer)
        elif method == "Network.responseReceived":
            answer = parameters["response"]
            seen = Seen(answer["status"], answer["url"], answer["headers"])
            (self.seen if parameters["type"] == "Document" else self.fetched).append(seen)
        elif method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Page.lifecycleEvent" and parameters["name"] == "load":
            self._loads.add(parameters["loaderId"])

    # -- what a person does

    def _wait(self):
        if not self._loaded.wait(180):
            raise TimeoutError("the page was not loaded")
        time.sleep(0.05)

    def go(self, url):
        """Returns the answer that the page is made of."""
        self.load(url)
        return self.seen[-1]

    def load(self, url):
        """Of a file too, which has no status."""
        result = self.call("Page.navigate", url=url)
        assert not result.get("errorText"), result
        poll(lambda: result["loaderId"] in self._loads, 30, "the page was loaded")

    def click(self, selector):
        self._loaded.clear()
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self._wait()
        return self.seen[-1]

    def press(self, key, code):
        """A key, and what it does by itself."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **(text if kind == "keyDown" else {}))

    def tab_to(self, selector):
        """With the Tab key alone; returns whether the focus can be seen there."""
        for _ in range(10):
            self.press("Tab", 9)
            if self.run(f"document.activeElement === document.querySelector({json.dumps(selector)})"):
                style = "getComputedStyle(document.activeElement)"
                return self.run(f"document.activeElement.matches(':focus-visible') && {style}.outlineStyle !== 'none'")
        raise AssertionError(f"{selector} is not reached with Tab")

    def enter(self):
        self._loaded.clear()
        self.press("Enter", 13)
        self._wait()
        return self.seen[-1]

    def run(self, script):
        """The value of a script's expression; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self):
        return self.run("document.body.innerText")

    def title(self):
        return self.run("document.title")

    def url(self):
        return self.run("location.href")

    def look(self, width, height, dark=False, media=""):
        """As on a screen of that size, in light or dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, path, whole=True):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self._target)
        del Page.all[self._session]
