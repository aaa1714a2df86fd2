"""A stop is graceful: what is under way is finished, and nothing is cut."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.ops.supervise import STOP_SECONDS
from backend.web import status
from backend.web.pages import live
from tests.support.installation import Installation, wait_until

WAIT_SECONDS = 60


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    made.close()


def test_streams_are_shorter_than_a_stop_waits() -> None:
    assert max(status.STREAM_SECONDS, live.STREAM_SECONDS) < STOP_SECONDS


def test_sigterm_lets_an_open_answer_come_to_its_end(installation: Installation) -> None:
    installation.run("init")
    web = installation.start("web")
    wait_until(installation.web_answers, "the web server answers")
    opened, ended = threading.Event(), threading.Event()

    def listen() -> None:
        with httpx.stream("GET", f"{installation.url}/status/stream", timeout=WAIT_SECONDS) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    opened.set()
        ended.set()  # not reached when the answer is cut

    listener = threading.Thread(target=listen)
    listener.start()
    assert opened.wait(WAIT_SECONDS)
    web.send_signal(signal.SIGTERM)
    try:
        assert web.wait(WAIT_SECONDS) == 0
    except subprocess.TimeoutExpired:
        pytest.fail("it did not stop")
    listener.join(WAIT_SECONDS)
    assert ended.is_set()
