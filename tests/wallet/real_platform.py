"""A real platform for the wallet: web, signer and worker as processes of their own, on SQLite, with no chain node."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.installation import Installation, wait_until

EXAMPLE = Path(__file__).parents[2] / "examples" / "concert.toml"
SLUG = "summer-night"


@contextmanager
def real_platform(folder: Path) -> Iterator[Installation]:
    """Doors of its event are open now."""
    installation = Installation(folder)
    event = folder / EXAMPLE.name
    event.write_text(doors_open_now(EXAMPLE.read_text()))
    try:
        installation.run("init")
        installation.run("keys", "init-root")
        installation.start("signer", "signer", "run")
        wait_until((folder / "platform" / "signer.sock").exists, "the signer's socket")
        installation.run("event", "create", str(event))
        installation.run("keys", "publish")
        installation.start("web")
        installation.start("work")
        wait_until(installation.web_answers, "the web server")
        yield installation
    finally:
        installation.close()


def doors_open_now(text: str) -> str:
    """The event, moved to today: doors opened an hour ago."""
    doors = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    times = {"freeze": doors, "doors": doors, "starts": doors + timedelta(hours=2), "ends": doors + timedelta(hours=6)}
    for key, value in times.items():
        text, count = re.subn(rf"^{key} *=.*$", f"{key} = {value.isoformat()}", text, flags=re.MULTILINE)
        assert count == 1
    return text
