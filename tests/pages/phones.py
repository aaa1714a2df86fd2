"""Chromium as a phone: 390 by 844, with or without a camera, with a profile that outlives it."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright

WIDTH, HEIGHT = 390, 844
WAIT_MS = 120_000  # a deadline for what must come, on the busiest machine; nothing waits so long when all is well
POLL_MS = 100
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Debian's Chromium; `make setup` installs it where it is absent."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found is not None, "no Chromium; apt-get install chromium"
    return found


@contextmanager
def phone(
    playwright: Playwright,
    profile: Path,
    camera: Path | None = None,
    arguments: tuple[str, ...] = (),
    **options: Any,
) -> Iterator[BrowserContext]:
    """A browser with its own lasting profile. `camera` is a film (`tests.pages.camera`); none: no camera at all."""
    switches = ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required", *arguments]
    if camera is not None:
        switches += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
        options.setdefault("permissions", ["camera"])
    context = playwright.chromium.launch_persistent_context(
        str(profile),
        executable_path=chromium(),
        args=switches,
        timeout=WAIT_MS,
        viewport={"width": WIDTH, "height": HEIGHT},
        device_scale_factor=2,
        has_touch=True,
        **options,
    )
    context.set_default_timeout(WAIT_MS)
    try:
        yield context
    finally:
        context.close()


def await_on(page: Page, ready: Callable[[], Any], what: str) -> None:
    """Asks `ready` until it answers something true, while the page and its routes go on."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not ready():
        assert time.monotonic() < deadline, f"waited for {what}"
        page.wait_for_timeout(POLL_MS)


class Watched:
    """What a page complained of: errors, and whatever its policy refused."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._note(message.type, message.text))

    def _note(self, kind: str, text: str) -> None:
        is_network = text.startswith("Failed to load resource")  # tests take the server away on purpose
        if kind == "error" and not is_network:
            self.complaints.append(text)
