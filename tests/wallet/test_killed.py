"""SIGKILL at every step of a purchase: exactly one order is paid, and its tickets end up in the wallet."""

import json
import signal
import subprocess
from itertools import count
from pathlib import Path

import pytest

from tests.wallet.fake_http import FakeServer
from tests.wallet.home import Home
from tests.wallet.killing import run_killed

KILLED = -signal.SIGKILL
ROUTES = ("event", "orders", "pay", "keys", "order", "credential")


def buying(home: Home, platform: FakeServer) -> list[str]:
    order = ["buy", "concert", "--yes", "--class", "standing", "--quantity", "2", "--server", platform.url]
    return [*home.options, "--json", *order]


def assert_bought_once(home: Home, platform: FakeServer) -> None:
    tickets = home.tickets()
    assert len(platform.paid_orders) == 1
    assert list(platform.charges.values()) == [1]
    assert [ticket.serial for ticket in tickets] == [1, 1]
    assert {ticket.id for ticket in tickets} == {ticket.id for ticket in platform.paid_orders[0].tickets}


def test_killed_at_every_step_then_resumed(tmp_path: Path) -> None:
    """One life for each step of the purchase; the step after the last is the one that is not killed."""
    for step in count(1):
        folder = tmp_path / str(step)
        folder.mkdir()
        home = Home(folder / "wallet")
        with FakeServer() as platform:
            code = run_killed(buying(home, platform), step)
            if code == KILLED:
                assert run_killed([*home.options, "--json", "resume"], 0) == 0
                if not platform.paid_orders:  # killed before the wish was stored: nothing was begun, buying is
                    assert run_killed(buying(home, platform), 0) == 0
            assert_bought_once(home, platform)
        if code != KILLED:
            assert code == 0
            break
    assert step > 20, "a purchase has more steps than that"


@pytest.mark.parametrize("first", [1, 2, 3])
def test_killed_again_and_again_while_recovering(tmp_path: Path, first: int) -> None:
    """The same command over and over, each run killed one step later than it got before."""
    home = Home(tmp_path / "wallet")
    with FakeServer() as platform:
        for step in count(first):
            code = run_killed(buying(home, platform), step)
            if code != KILLED:
                break
            if home.purchases() and home.purchases()[0].state == "done":
                break
        assert_bought_once(home, platform)
        assert len(platform.orders) == 1


def test_rekey_killed_at_every_step_then_resumed(tmp_path: Path) -> None:
    for step in count(1):
        folder = tmp_path / str(step)
        folder.mkdir()
        home = Home(folder / "wallet")
        with FakeServer() as platform:
            assert run_killed(buying(home, platform), 0) == 0
            before = home.tickets()[0]
            rekeying = [*home.options, "--json", "rekey", before.key]
            code = run_killed(rekeying, step)
            if code == KILLED:
                assert run_killed([*home.options, "--json", "resume"], 0) == 0
                if home.tickets()[0].number == before.number:  # killed before the intent was stored
                    assert run_killed(rekeying, 0) == 0
            after = home.tickets()[0]
            (theirs,) = [ticket for ticket in platform.paid_orders[0].tickets if ticket.id == after.id]
            assert (after.number, after.serial) == (theirs.number, theirs.serial) == (2, 2)
        if code != KILLED:
            break
    assert step > 5


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("route", ROUTES)
def test_installed_program_killed_around_each_request(
    home: Home, platform: FakeServer, route: str, moment: str
) -> None:
    """The real program in its own process, killed by the server's hand: the request arrived, or it took effect."""
    running: list[subprocess.Popen[str]] = []

    def kill(arrived: str) -> None:
        if arrived == route and running:
            running.pop().kill()

    setattr(platform, moment, kill)
    process = home.start("buy", "concert", "--yes", "--class", "standing", "--quantity", "2", "--server", platform.url)
    running.append(process)
    process.communicate(timeout=60)
    assert process.returncode == KILLED
    again = home.run("resume")
    if again.json == {"tickets": []}:  # killed before anything was begun
        assert route == "event"
        again = home.run("buy", "concert", "--yes", "--class", "standing", "--quantity", "2", "--server", platform.url)
    assert again.code == 0, again.err
    assert_bought_once(home, platform)
    assert len(platform.orders) == 1


def test_two_wallets_at_once_take_turns(home: Home, platform: FakeServer) -> None:
    """The same command in two windows: the lock lets one in after the other, and each order is paid once."""
    order = ("buy", "concert", "--yes", "--class", "standing", "--server", platform.url)
    both = [home.start(*order) for _window in range(2)]
    results = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert all(json.loads(out.splitlines()[-1])["state"] == "done" for out, _err in results)
    assert set(platform.charges.values()) == {1}
