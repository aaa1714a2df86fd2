"""The wallet against the real thing: web, signer and worker as processes, SQLite, the sandbox bank; no chain node."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.db.engine import make_engine
from credential.codes import FullCode, decode_code
from credential.digits import from_digits
from tests.support.checker import check_sales
from tests.support.installation import Installation, wait_until
from tests.wallet.home import Home
from tests.wallet.killing import run_killed
from tests.wallet.real_platform import SLUG, real_platform
from wallet.cli import exits

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with real_platform(tmp_path_factory.mktemp("installation")) as running:
        yield running


@pytest.fixture
def sales_add_up(installation: Installation) -> Iterator[None]:
    """After the test: nothing oversold, every paid order has its tickets."""
    yield
    engine = make_engine(installation.database_url)
    assert check_sales(engine).problems == []
    engine.dispose()


@pytest.fixture(autouse=True)
def _always(sales_add_up: None) -> None:
    """Every test here ends with the books in order."""


def buying(installation: Installation, *more: str) -> tuple[str, ...]:
    return ("buy", SLUG, "--yes", "--class", "standing", "--server", installation.url, *more)


def test_buys_binds_and_shows(installation: Installation, home: Home) -> None:
    ran = home.run(*buying(installation, "--quantity", "3"))
    assert ran.code == 0, ran.err
    tickets = ran.json["tickets"]
    assert [(ticket["issuer"], ticket["serial"], ticket["zone"]) for ticket in tickets] == [("verified", 1, 1)] * 3
    shown = home.run("show", tickets[0]["ticket_id"], "--once")
    payload = from_digits(shown.json["text"])
    assert isinstance(payload, bytes)
    code = decode_code(payload)
    assert isinstance(code, FullCode)
    assert code.is_signed_by_holder()
    assert code.credential.body.token_id == tickets[0]["token_id"]


def test_guest_and_seats(installation: Installation, home: Home) -> None:
    seated = ("buy", SLUG, "--yes", "--class", "seated", "--server", installation.url)
    best = home.run(*seated, "--quantity", "2", "--guest")
    assert best.code == 0, best.err
    assert [ticket["seat"] for ticket in best.json["tickets"]] == ["A-1", "A-2"]
    assert home.run(*seated, "--seats", "A-1").error == "seat_taken"
    assert home.run(*seated, "--seats", "B-7,B-8").json["tickets"][1]["seat"] == "B-8"


@pytest.mark.parametrize("token", ["late", "double", "out_of_order", "timeout_then_approve"])
def test_the_bank_on_its_bad_days(installation: Installation, home: Home, token: str) -> None:
    ran = home.run(*buying(installation, "--token", token))
    assert ran.code == 0, ran.err
    assert len(ran.json["tickets"]) == 1


def test_declined_and_paid_again(installation: Installation, home: Home) -> None:
    ran = home.run(*buying(installation, "--token", "decline"))
    assert (ran.error, ran.code) == ("payment_declined", exits.DECLINED)
    assert home.run("resume", "--pay-again", "--token", "approve").code == 0


def test_money_taken_after_a_decline(installation: Installation, home: Home) -> None:
    assert home.run(*buying(installation, "--token", "decline_then_approve")).error == "payment_declined"
    ran = wait_until(lambda: (one := home.run("resume")).code == 0 and one, "the bank's second thoughts")
    assert len(ran.json["tickets"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--quantity", "99"), "over_limit"),
        (("--class", "balcony"), "unknown_class"),
        (("--seats", "A-1"), "class_has_no_seats"),
        (("--token", "bogus"), "unknown_payment_token"),
        (("--method", "bogus"), "unknown_payment_method"),
    ],
)
def test_refusals_are_the_platforms_own_words(
    installation: Installation, home: Home, arguments: tuple[str, ...], code: str
) -> None:
    ran = home.run(*buying(installation, *arguments))
    assert (ran.error, len(ran.json["error"]["sentence"]) > 10) == (code, True)


def test_refusals_speak_chinese_to_who_reads_it(
    installation: Installation, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "zh")
    assert not home.run(*buying(installation, "--class", "balcony")).json["error"]["sentence"].isascii()


def test_phrase_alone_brings_the_tickets_to_a_new_phone(
    installation: Installation, home: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    phrase = "abandon " * 11 + "about"
    old = Home(tmp_path / "old", capfd, phrase=phrase)
    assert old.run(*buying(installation, "--quantity", "2")).code == 0
    new = Home(tmp_path / "new", capfd, phrase=phrase)
    ran = new.run("restore", "--server", installation.url)
    assert ran.code == 0, ran.err
    assert [(ticket["serial"], ticket["binding_number"]) for ticket in ran.json["tickets"]] == [(2, 2)] * 2
    assert all(ticket["superseded"] for ticket in old.run("status").json["tickets"])


def test_status_says_what_waits(installation: Installation, home: Home) -> None:
    assert home.run(*buying(installation)).code == 0
    ran = home.run("status")
    assert ran.json["servers"][0]["reached"]
    assert "inting waits" in ran.json["servers"][0]["says"]


@pytest.mark.parametrize("step", [4, 9, 14])
def test_killed_wallet_resumes_to_one_paid_order(installation: Installation, tmp_path: Path, step: int) -> None:
    """Kills at some steps of a purchase; tests/wallet/test_killed.py does it at every one, on the fake."""
    home = Home(tmp_path / "wallet", phrase="zoo " * 11 + "wrong")
    arguments = [*home.options, "--json", *buying(installation, "--quantity", "2")]
    assert run_killed(arguments, step) == KILLED
    assert run_killed(arguments, 0) == 0
    (purchase,) = home.purchases()
    assert purchase.state == "done"
    assert [ticket.serial for ticket in home.tickets()] == [1, 1]


@pytest.mark.deep
@pytest.mark.parametrize("place", ["till.written", "till.committed", "pay.started", "pay.charged"])
def test_web_killed_during_the_purchase_is_a_pause(installation: Installation, home: Home, place: str) -> None:
    """The wallet asks again with the same keys until the server is back: one order, one payment, one ticket."""
    installation.kill("web")
    armed = installation.start("web", kill_at=place)
    wait_until(installation.web_answers, "the web server")
    process = home.start(*buying(installation, "--patience", "60"))
    wait_until(lambda: armed.poll() is not None, f"the web server to come to {place}")
    installation.kill("web")
    installation.start("web")
    _out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert len(home.tickets()) == 1
    (purchase,) = home.purchases()
    assert len(purchase.payments) == 1


@pytest.mark.deep
def test_signer_and_worker_killed_after_the_payment_are_a_pause(installation: Installation, home: Home) -> None:
    for name in ("signer", "work"):
        installation.kill(name)
    process = home.start(*buying(installation, "--patience", "60"))
    wait_until(lambda: any(one.state == "paid" for one in home.purchases()), "the payment")
    installation.start("signer", "signer", "run")
    installation.start("work")
    _out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert len(home.tickets()) == 1
