"""`make demo`: tells the story, then stays up; `make demo EXIT=1` ends with 0, or 1 if a step failed."""

import argparse
import signal
from pathlib import Path

from examples.demo.screen import Screen
from examples.demo.stage import DemoFailed, Stage
from examples.demo.story import Story


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end after the story instead of staying up")
    parser.add_argument("--folder", type=Path, default=Path("demo-data"), help="made anew each time")
    chosen = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    screen = Screen()
    stage: Stage | None = None
    try:
        stage = Stage(chosen.folder.resolve())
        Story(stage, screen).tell()
        screen.end("Every step did what it says.")
        if not chosen.exit:
            screen.fact(f"shop and API  {stage.url}    status  {stage.url}/status    node  {stage.node_url}")
            screen.fact("Ctrl-C stops everything.")
            signal.pause()
    except DemoFailed as failure:
        screen.bad(str(failure))
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if stage is not None:
            stage.close()
    return 0


def _stop(*_ignored: object) -> None:
    """The first Ctrl-C ends the story; what comes after it can't cut the clearing up short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
