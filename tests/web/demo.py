"""The whole product for browser tests: ``atende serve --demo`` as a process of its own, and a browser to drive it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

START_SECONDS = 180
_ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
CHROMIUM_ARGUMENTS = [
    *_ARGUMENTS.split(),
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
"""With a microphone that hums."""


@contextmanager
def running_demo() -> Iterator[str]:
    """Start the demo in a temporary folder; gives the address of its sign-in."""
    with running_product("--demo", until=r"https?://[\w.:]+") as url:
        yield url


@contextmanager
def running_product(*arguments: str, until: str) -> Iterator[str]:
    """``atende serve`` in a temporary folder; gives what matches ``until`` in the lines that it prints."""
    folder = Path(tempfile.mkdtemp(prefix="atende-demo-"))
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("atende")),
            "serve",
            *arguments,
            "--data-dir",
            str(folder / "data"),
            "--port",
            "0",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    alarm = threading.Timer(START_SECONDS, process.kill)
    alarm.start()
    try:
        said = []
        for line in process.stdout or ():
            said.append(line)
            if found := re.search(until, line):
                break
        else:
            raise RuntimeError(f"the demo did not start:\n{''.join(said)}")
        alarm.cancel()
        threading.Thread(target=lambda: [None for _ in process.stdout or ()], daemon=True).start()
        yield found[0]
    finally:
        alarm.cancel()
        process.send_signal(signal.SIGINT)
        process.wait(60)
        if process.stdout:
            process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def running_browser(executable: str) -> AsyncIterator[Browser]:
    """A headless Chromium without any of its own traffic."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS.split())
        try:
            yield browser
        finally:
            await browser.close()
