"""Logs are for machines and operators, and hold nothing that is somebody's."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from backend.logs import configure_logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    out = io.StringIO()
    configure_logs("work", out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_one_json_object_that_names_the_process(stream: io.StringIO) -> None:
    structlog.get_logger("backend.chain").info("batch_closed", batch=7)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["batch"], line["process"], line["level"]) == ("batch_closed", 7, "work", "info")
    assert line["timestamp"].endswith("Z")


def test_lines_of_libraries_look_the_same(stream: io.StringIO) -> None:
    logging.getLogger("somebody").warning("took %d s", 3)
    assert json.loads(stream.getvalue())["event"] == "took 3 s"


@pytest.mark.parametrize(
    "secret",
    ["ada@example.org", "Bearer s3cr3t-of-an-order", "postgresql://truestub:hunter2@db/tickets"],
)
def test_personal_data_and_secrets_are_blotted_out(stream: io.StringIO, secret: str) -> None:
    log = structlog.get_logger("backend")
    log.error("failed", detail=f"while asking with {secret}")
    try:
        int(secret)
    except ValueError:
        log.exception("failed_again")
    written = stream.getvalue()
    assert "ada@example" not in written
    assert "s3cr3t" not in written
    assert "hunter2" not in written
    assert len(written.splitlines()) == 2


def test_a_log_line_cannot_be_forged_with_a_line_break(stream: io.StringIO) -> None:
    structlog.get_logger("backend").info("seen", name='x"}\n{"event": "admitted"}')
    assert len(stream.getvalue().splitlines()) == 1
