"""Rows of the fault table: each test says which row it is, and what it saw; the table is written at the end."""

import platform as machine
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.arena import Arena, Seen

_ROWS: dict[str, tuple[Seen, str, str]] = {}  # node id -> what was seen, row, short form
_FAILED: set[str] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-page", default="", help="where to write the table of `make faults`")


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """A whole platform of real processes, with a proxy that can misbehave between its worker and its node."""
    made = Arena(tmp_path_factory.mktemp("faults"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Seen:
    """What the row's test saw, for the table."""
    mark = request.node.get_closest_marker("faults")
    assert mark is not None
    made = Seen()
    _ROWS[request.node.nodeid] = (made, mark.kwargs["row"], mark.kwargs.get("short", ""))
    return made


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _FAILED.add(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not _ROWS:
        return
    lines = [
        "| fault | promises kept | tickets sold meanwhile | incident opened after | closed after | short form |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for node_id, (saw, row, short) in _ROWS.items():
        kept = "**no**" if node_id in _FAILED or not saw.checked else "yes"
        cells = (
            row,
            kept,
            str(saw.sold),
            _seconds(saw.opened_s),
            _seconds(saw.closed_s),
            f"`{short}`" if short else "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    for line in lines:
        terminalreporter.write_line(line)
    page = config.getoption("--faults-page")
    if page:
        Path(page).write_text(_page(lines))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _page(table: list[str]) -> str:
    words = f"""# What was broken on purpose

Written by `make faults` on {machine.system()} {machine.machine()}, Python {machine.python_version()}. Each row is a
test in `tests/faults` with real processes: node, web server, signer and worker, on SQLite; a proxy between worker and
node misbehaves where the row says so. While the fault lasts, tickets are sold over HTTP. Afterwards, from outside: one
token for each ticket ever paid and no other, acknowledged ⊆ stored, sold ≤ capacity, money = tickets + refunds, index =
chain, and the incident, if one opened, closed. A fault that lasts less than two seconds opens none. The short forms run
in `make test`.

"""
    return words + "\n".join(table) + "\n"
