"""A ticket goes from one wallet to another: real web server, signer, worker and chain node."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.db.engine import make_engine
from tests.support.checker import check_sales
from tests.support.installation import Installation, wait_until
from tests.wallet.home import Home
from tests.wallet.killing import run_killed
from wallet.giving import address_text
from wallet.phrase import new_phrase

KILLED = -signal.SIGKILL
SLUG = "summer-night"
EXAMPLE = Path(__file__).parents[2] / "examples" / "concert.toml"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("giving"))
    try:
        made.start("node", "node", "start", "--port", str(made.node_port))
        made.run("init")
        made.run("keys", "init-root")
        made.start("signer", "signer", "run")
        wait_until((made.folder / "platform" / "signer.sock").exists, "the signer")
        made.run("event", "create", str(EXAMPLE))
        made.run("keys", "publish")
        made.start("web")
        made.start("work")
        wait_until(made.web_answers, "the web server")
        with made.http() as http:
            wait_until(lambda: http.get(f"/api/v1/events/{SLUG}").json()["contract"], "the event's contract")
        yield made
    finally:
        made.close()


@pytest.fixture
def homes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Home, Home, Home]:
    ada, ben, eve = (Home(tmp_path / name, capsys, new_phrase()) for name in ("ada", "ben", "eve"))
    return ada, ben, eve


def bought(platform: Installation, home: Home, *more: str) -> dict[str, Any]:
    arguments = ("buy", SLUG, "--yes", "--class", "standing", "--server", platform.url, *more)
    ran = home.run(*arguments)
    assert ran.code == 0, ran.err
    return dict(ran.json["tickets"][0])


def received(platform: Installation, home: Home) -> dict[str, Any]:
    ran = home.run("receive", SLUG, "--server", platform.url)
    assert ran.code == 0, ran.err
    return dict(ran.json)


def test_a_given_ticket_is_the_receivers_and_the_givers_code_is_not_shown_any_more(
    platform: Installation, homes: tuple[Home, Home, Home]
) -> None:
    ada, ben, eve = homes
    ticket = bought(platform, ada)
    to = received(platform, ben)
    assert to["tickets"] == []
    assert to["address"] in ben.say("receive", SLUG, "--server", platform.url).out

    given = ada.run("give", "1", to["address"])
    assert given.code == 0, given.err
    assert given.json["tickets"][0]["given_to"] == to["address"].lower()
    assert ada.run("give", "1", to["address"]).code == 0, "asked twice, done once"
    assert ada.run("give", "1", received(platform, eve)["address"]).error == "already_given"
    assert ada.run("show", "1", "--once").error == "given_away"
    assert "given away" in ada.say("tickets").out

    (taken,) = received(platform, ben)["tickets"]
    assert (taken["ticket_id"], taken["token_id"]) == (ticket["ticket_id"], ticket["token_id"])
    assert taken["serial"] > ticket["serial"]
    assert taken["issuer"] == "verified"
    assert ben.run("show", "1", "--once").code == 0
    assert received(platform, ben)["tickets"] == [taken], "taken once, however often one looks"
    assert received(platform, ada)["tickets"] == received(platform, eve)["tickets"] == []

    assert ben.run("give", "1", received(platform, eve)["address"]).code == 0
    assert received(platform, ben)["tickets"] == []
    assert received(platform, eve)["tickets"][0]["token_id"] == ticket["token_id"]
    for home in homes:
        assert home.run("status").code == 0
    assert "given away" in ada.say("status").out
    assert eve.run("show", "1", "--once").code == 0
    assert ada.run("show", "1", "--once").error == ben.run("show", "1", "--once").error == "given_away"
    engine = make_engine(platform.database_url)
    assert check_sales(engine).problems == []
    engine.dispose()


def test_typing_errors_and_strangers_tickets_move_nothing(
    platform: Installation, homes: tuple[Home, Home, Home]
) -> None:
    ada, ben, _eve = homes
    bought(platform, ada)
    theirs, own = (received(platform, home)["address"] for home in (ben, ada))
    swapped = theirs[:-2] + theirs[-1] + ("0" if theirs[-2] != "0" else "1")
    for wrong in ("ben", theirs.lower(), theirs[:-1], swapped, theirs.removeprefix("0x") + "00", "0x" + "0" * 40):
        ran = ada.run("give", "1", wrong)
        assert ran.error == "bad_receiver", wrong
    assert ada.run("give", "1", own).error == "bad_receiver"
    assert ada.run("give", "2", theirs).error == "no_such_ticket"
    assert ada.run("show", "1", "--once").code == 0


def test_guests_ticket_goes_to_a_friends_wallet_and_to_ones_own(
    platform: Installation, homes: tuple[Home, Home, Home]
) -> None:
    ada, ben, eve = homes
    first, second = bought(platform, ada, "--guest"), bought(platform, ada, "--guest", "--another")
    theirs, own = (received(platform, home)["address"] for home in (ben, ada))
    assert ada.run("give", "1", theirs).code == ada.run("give", "1", theirs).code == 0, "asked twice, done once"
    assert ada.run("give", "1", received(platform, eve)["address"]).error == "already_given"
    assert ada.run("give", "2", own).code == 0
    assert [one["token_id"] for one in received(platform, ben)["tickets"]] == [first["token_id"]]
    assert [one["token_id"] for one in received(platform, ada)["tickets"]] == [second["token_id"]]
    assert ben.run("show", "1", "--once").code == 0
    assert ada.run("show", "1", "--once").error == "given_away"
    assert "in_custody" not in ada.say("status").out
    assert ben.run("give", "1", received(platform, eve)["address"]).code == 0, "it is theirs to give on"
    assert received(platform, eve)["tickets"][0]["token_id"] == first["token_id"]


def test_killed_at_every_step_of_giving_the_ticket_is_given_once(
    platform: Installation, homes: tuple[Home, Home, Home]
) -> None:
    ada, ben, _eve = homes
    to = received(platform, ben)["address"]
    for step in range(1, 9):
        ticket = bought(platform, ada)
        command = [*ada.options, "--json", "give", ticket["ticket_id"], to]
        code = run_killed(command, step)
        assert code in (0, KILLED)
        assert ada.run("resume").code == 0
        if not ada.run("tickets").json["tickets"][step - 1]["given_to"]:
            assert run_killed(command, 0) == 0
        assert ticket["token_id"] in [one["token_id"] for one in received(platform, ben)["tickets"]]
        if code == 0:
            break
    assert step > 3, "giving has more steps than that"


def test_a_restored_wallet_finds_what_it_was_given(
    platform: Installation, homes: tuple[Home, Home, Home], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ada, ben, _eve = homes
    bought(platform, ada)
    assert ada.run("give", "1", received(platform, ben)["address"]).code == 0
    before = received(platform, ben)["tickets"][0]
    again = Home(tmp_path / "ben again", capsys, ben.phrase)
    (after,) = received(platform, again)["tickets"]
    assert (after["token_id"], after["serial"] > before["serial"]) == (before["token_id"], True)
    gone = Home(tmp_path / "ada again", capsys, ada.phrase)
    restored = gone.run("restore", "--event", SLUG, "--server", platform.url)
    assert (restored.code, restored.json["tickets"]) == (0, []), "what was given away stays away"


def test_no_network_says_so_and_gives_nothing(homes: tuple[Home, Home, Home], platform: Installation) -> None:
    ada, ben, _eve = homes
    bought(platform, ada)
    to = received(platform, ben)["address"]
    platform.kill("web")
    try:
        ran = ada.run("give", "1", to, "--patience", "1")
        assert (ran.error, ran.code) == ("server_unreachable", 6)
        assert ada.run("show", "1", "--once").code == 0
    finally:
        platform.start("web")
        wait_until(platform.web_answers, "the web server")


def test_an_address_is_passed_on_with_its_checksum() -> None:
    """The first example of ERC-55."""
    text = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert address_text(bytes.fromhex(text[2:].lower())) == text
