"""The command line: what goes wrong is a code, a sentence and an exit code, and nothing is lost or leaked."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from credential.digits import from_digits
from tests.wallet.fake_http import FakeServer, Fault
from tests.wallet.home import PASSPHRASE, PHRASE, Home
from wallet.cli import exits, main


def order(platform: FakeServer, *more: str) -> tuple[str, ...]:
    return ("buy", "concert", "--yes", "--class", "standing", "--server", platform.url, *more)


# --- making a wallet --------------------------------------------------------------------------------------------------


def test_init_shows_a_new_phrase_once_and_phrase_shows_it_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE + "\n")
    secret.chmod(0o600)
    options = ["--home", str(tmp_path / "new"), "--passphrase-file", str(secret)]
    assert main([*options, "--json", "init", "--words", "24"]) == 0
    phrase = json.loads(capfd.readouterr().out)["phrase"]
    assert len(phrase.split()) == 24
    assert main([*options, "phrase"]) == 0
    shown = capfd.readouterr().out
    assert all(word in shown for word in phrase.split())
    assert main([*options, "init"]) == exits.WALLET
    assert "[wallet_exists]" in capfd.readouterr().err


def test_init_restores_a_phrase_from_standard_input(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--home", str(tmp_path / "again"), "--passphrase-file", str(home.passphrase_file), "--json"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(PHRASE.upper() + "\n"))
    assert main([*options, "init", "--phrase-file", "-"]) == 0
    assert main([*options, "phrase"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["phrase"] == PHRASE


def test_changed_passphrase_is_asked_for_from_then_on(home: Home, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_text("another passphrase\n")
    new.chmod(0o600)
    assert home.run("passphrase", "--new-passphrase-file", str(new)).code == 0
    assert home.run("tickets").error == "wrong_passphrase"
    home.passphrase_file = new
    assert home.run("tickets").code == 0


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ("wrong", "wrong_passphrase"),
        ("open", "passphrase_file_open"),
        ("gone", "cannot_read"),
        ("short", "vault_damaged"),
    ],
)
def test_what_is_wrong_with_the_wallet_is_said(home: Home, spoil: str, code: str) -> None:
    if spoil == "wrong":
        home.passphrase_file.write_text("not the passphrase\n")
    elif spoil == "open":
        home.passphrase_file.chmod(0o644)
    elif spoil == "gone":
        home.passphrase_file.unlink()
    else:
        vault = home.folder / "vault.json"
        vault.write_bytes(vault.read_bytes()[:100])
    ran = home.run("tickets")
    assert (ran.code, ran.error) == (exits.WALLET, code)


def test_no_wallet_is_said_before_any_passphrase_is_asked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path / "nothing"), "tickets"]) == exits.WALLET
    assert "[no_wallet]" in capfd.readouterr().err


def test_passphrase_comes_by_file_descriptor_too(home: Home) -> None:
    reading, writing = os.pipe()
    os.write(writing, PASSPHRASE.encode() + b"\n")
    os.close(writing)
    command = [sys.executable, "-m", "wallet", "--home", str(home.folder), "--passphrase-fd", str(reading), "tickets"]
    done = subprocess.run(command, pass_fds=(reading,), capture_output=True, text=True, check=False, timeout=60)
    os.close(reading)
    assert done.returncode == 0, done.stderr


def test_without_terminal_or_file_it_says_how_to_give_the_passphrase(home: Home) -> None:
    command = [sys.executable, "-m", "wallet", "--home", str(home.folder), "tickets"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == exits.WALLET
    assert "[passphrase_needed]" in done.stderr
    assert "--passphrase-file" in done.stderr


def test_no_option_takes_a_secret(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capfd.readouterr().out
    assert "--passphrase " not in text
    assert "--phrase " not in text


# --- buying -----------------------------------------------------------------------------------------------------------


def test_buy_ends_with_tickets_in_the_wallet(home: Home, platform: FakeServer) -> None:
    ran = home.run(*order(platform, "--quantity", "3"))
    assert ran.code == 0
    assert len(ran.json["tickets"]) == 3
    assert ran.json["state"] == "done"
    assert home.run("tickets").json["tickets"] == ran.json["tickets"]


def test_buy_chooses_seats(home: Home, platform: FakeServer) -> None:
    ran = home.run("buy", "concert", "--yes", "--class", "seated", "--seats", "A-1,A-2", "--server", platform.url)
    assert [ticket["seat"] for ticket in ran.json["tickets"]] == ["A-1", "A-2"]
    assert home.run("show", "A-2", "--once").json["ticket_id"] == ran.json["tickets"][1]["ticket_id"]


def test_nothing_secret_is_printed_or_stored_in_clear(home: Home, platform: FakeServer) -> None:
    said = home.say(*order(platform))
    ran = home.run("status")
    (secret,) = [one.secret for one in platform.paid_orders]
    stored = b"".join(file.read_bytes() for file in home.folder.iterdir())
    for text in (said.out, said.err, ran.out, ran.err, stored.decode("latin-1")):
        assert secret not in text
        assert PASSPHRASE not in text
        assert "legal winner" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("--class", "standing", "--quantity", "9"), "over_limit", exits.REFUSED),
        (("--class", "balcony"), "unknown_class", exits.USAGE),
        (("--class", "standing", "--quantity", "0"), "bad_arguments", exits.USAGE),
        (("--class", "standing", "--quantity", "2", "--seats", "A-1"), "bad_arguments", exits.USAGE),
        (("--class", "standing", "--token", "decline"), "payment_declined", exits.DECLINED),
        ((), "bad_arguments", exits.USAGE),
    ],
)
def test_refusals_have_code_sentence_and_exit_code(
    home: Home, platform: FakeServer, arguments: tuple[str, ...], code: str, exit_code: int
) -> None:
    ran = home.run("buy", "concert", "--yes", "--server", platform.url, *arguments)
    assert (ran.error, ran.code) == (code, exit_code)
    assert ran.json["error"]["sentence"]
    assert "Traceback" not in ran.err
    assert not platform.charges


def test_sold_out_and_unknown_event_are_refusals(home: Home, platform: FakeServer) -> None:
    platform.capacity = 0
    assert home.run(*order(platform)).error == "sold_out"
    ran = home.run("buy", "nonsense", "--yes", "--class", "standing", "--server", platform.url)
    assert (ran.error, ran.code) == ("unknown_event", exits.REFUSED)


def test_ended_hold_is_said_and_buying_again_works(home: Home, platform: FakeServer) -> None:
    platform.hold_seconds = -1
    assert home.run(*order(platform)).error == "hold_expired"
    platform.hold_seconds = 600
    assert home.run(*order(platform)).code == 0


def test_declined_then_paid_with_another_card(home: Home, platform: FakeServer) -> None:
    assert home.run(*order(platform, "--token", "decline")).error == "payment_declined"
    assert home.run("resume").error == "payment_declined"
    ran = home.run("resume", "--pay-again", "--token", "approve")
    assert ran.code == 0
    assert list(platform.charges.values()) == [1]


def test_cancel_gives_an_unpaid_order_back(home: Home, platform: FakeServer) -> None:
    home.run(*order(platform, "--token", "decline"))
    (held,) = platform.orders.values()
    assert home.run("cancel", str(held.id)[:8]).json["state"] == "closed"
    assert held.state == "cancelled"
    assert home.run("resume").json == {"tickets": []}


def test_cancel_never_gives_up_what_is_paid(bought: Home, platform: FakeServer) -> None:
    (paid,) = platform.orders.values()
    assert bought.run("cancel", str(paid.id)).error == "already_paid"
    assert paid.state == "paid"


def test_server_down_is_said_with_what_to_do(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    ran = home.run("buy", "concert", "--yes", "--class", "standing", "--server", url, "--patience", "1")
    assert (ran.error, ran.code) == ("server_unreachable", exits.NO_ANSWER)
    assert url in ran.err


def test_server_lost_in_the_middle_says_resume_and_resume_finishes(home: Home, platform: FakeServer) -> None:
    platform.faults = [Fault("pay", "lost_after", times=1000)]
    ran = home.run(*order(platform, "--patience", "1"))
    assert (ran.error, ran.code) == ("server_broken", exits.NO_ANSWER)
    assert "truestub-wallet resume" in ran.json["error"]["sentence"]
    platform.faults = []
    assert home.run("resume").code == 0
    assert list(platform.charges.values()) == [1]


def test_the_same_buy_again_carries_on_and_another_is_asked_for(home: Home, platform: FakeServer) -> None:
    platform.faults = [Fault("pay", "lost_after", times=1000)]
    home.run(*order(platform, "--patience", "1"))
    platform.faults = []
    assert home.run(*order(platform)).code == 0
    assert len(platform.orders) == 1
    assert home.run(*order(platform, "--another")).code == 0
    assert len(platform.orders) == 2


def test_wrong_addresses_are_refused_before_anything_is_sent(home: Home) -> None:
    for url, code in (("tickets", "bad_address"), ("http://tickets.example", "unsafe_address")):
        ran = home.run("buy", "concert", "--yes", "--class", "standing", "--server", url)
        assert (ran.error, ran.code) == (code, exits.USAGE)
    assert home.run("buy", "concert", "--yes", "--class", "standing").error == "server_needed"


def test_known_platform_needs_no_address(bought: Home, platform: FakeServer) -> None:
    assert bought.run("buy", "concert", "--yes", "--class", "standing").code == 0
    assert len(platform.paid_orders) == 2


def test_a_platform_that_moved_is_followed_only_when_told(bought: Home, platform: FakeServer) -> None:
    with FakeServer() as moved:
        assert bought.run(*order(moved)).error == "platform_moved"
        assert bought.run(*order(moved, "--moved")).code == 0
        assert {purchase.server for purchase in bought.purchases()} == {moved.url}


# --- showing ----------------------------------------------------------------------------------------------------------


def test_show_once_gives_the_code_of_a_time(bought: Home) -> None:
    ran = bought.run("show", "1", "--once", "--at", "1900000000")
    assert ran.json["timestamp"] == 1_900_000_000
    assert isinstance(from_digits(ran.json["text"]), bytes)
    assert bought.run("show", "1", "--once", "--at", "2030-03-17T17:46:40Z").json["text"] == ran.json["text"]
    assert len(bought.run("show", "1", "--once", "--compact").json["text"]) == 186


def test_show_draws_a_picture_that_scans(bought: Home, tmp_path: Path) -> None:
    ran = bought.run("show", "1", "--once", "--png", str(tmp_path / "code.png"))
    found = zxingcpp.read_barcode(Image.open(tmp_path / "code.png"))
    assert found is not None
    assert found.text == ran.json["text"]


def test_answer_gives_an_answer_code(bought: Home) -> None:
    ran = bought.run("answer", "1", "017", "123456")
    assert (ran.json["kind"], len(ran.json["text"])) == ("answer", 509)
    assert bought.run("answer", "1", "12").error == "bad_challenge"


def test_tickets_are_found_by_number_and_id(bought: Home) -> None:
    ids = [ticket["ticket_id"] for ticket in bought.run("tickets").json["tickets"]]
    assert bought.run("show", "2", "--once").json["ticket_id"] == ids[1]
    assert bought.run("show", ids[1][:13], "--once").json["ticket_id"] == ids[1]
    for nonsense in ("3", "0", "nonsense", "-"):
        assert bought.run("show", "--once", nonsense).error == "no_such_ticket"


@pytest.mark.parametrize("time_text", ["yesterday", "99999999999", "-5"])
def test_bad_times_are_refused(bought: Home, time_text: str) -> None:
    assert bought.run("show", "1", "--once", f"--at={time_text}").error == "bad_time"


def test_picture_into_nowhere_is_said(bought: Home, tmp_path: Path) -> None:
    ran = bought.run("show", "1", "--once", "--png", str(tmp_path / "no" / "folder" / "code.png"))
    assert (ran.error, ran.code) == ("cannot_write", exits.WALLET)


def test_show_without_end_changes_the_picture_and_ends_cleanly_on_interrupt(bought: Home, tmp_path: Path) -> None:
    picture = tmp_path / "code.png"
    process = bought.start("show", "1", "--png", str(picture))
    assert process.stdout is not None
    lines = [json.loads(process.stdout.readline()) for _turn in range(2)]
    process.send_signal(2)
    _out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert err == ""
    assert lines[1]["timestamp"] - lines[0]["timestamp"] == 10
    found = zxingcpp.read_barcode(Image.open(picture))
    assert found is not None
    assert found.text == lines[1]["text"]


# --- clocks, status, recovery -----------------------------------------------------------------------------------------


def test_wrong_clock_is_noticed_when_online_and_remembered_offline(home: Home, platform: FakeServer) -> None:
    platform.clock_offset = 300
    ran = home.run(*order(platform))
    assert ran.code == 0
    assert "5 min" in ran.err
    assert "behind" in ran.err
    assert "behind" in home.run("show", "1", "--once").err


def test_right_clock_warns_nobody(bought: Home) -> None:
    ran = bought.run("show", "1", "--once")
    assert ran.err == ""


def test_status_tells_tickets_platform_and_clock(bought: Home, platform: FakeServer) -> None:
    ran = bought.run("status")
    assert ran.code == 0
    assert ran.json["servers"] == [
        {"server": platform.url, "reached": True, "says": "Everything works.", "clock_ahead_seconds": 0}
    ]
    assert [ticket["stage"] for ticket in ran.json["tickets"]] == ["batched", "batched"]


def test_a_postponed_events_tickets_are_renewed_by_a_look_at_the_status(bought: Home, platform: FakeServer) -> None:
    before = bought.tickets()
    platform.moved_seconds = 30 * 24 * 3600
    assert bought.run("status").code == 0
    after = bought.tickets()
    assert [one.not_before - old.not_before for one, old in zip(after, before, strict=True)] >= [29 * 24 * 3600] * 2
    assert [(one.number, one.serial) for one in after] == [(old.number, old.serial + 1) for old in before]
    assert all(one.event.doors_at - old.event.doors_at > 29 * 24 * 3600 for one, old in zip(after, before, strict=True))
    assert not any(one.superseded for one in after)
    bought.run("status")
    assert [one.serial for one in bought.tickets()] == [one.serial for one in after], "once"


def test_status_without_network_says_so_and_lists_what_is_here(bought: Home, platform: FakeServer) -> None:
    platform.__exit__()
    ran = bought.run("status")
    assert ran.code == 0
    assert ran.json["servers"][0]["code"] == "server_unreachable"
    assert len(ran.json["tickets"]) == 2


def test_the_list_tells_without_network_what_the_platform_last_told_and_how_long_ago(
    bought: Home, platform: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bought.run("tickets").json["told"] == []
    platform.waits, platform.told_with = "The database does not answer: nothing can be sold. " * 20, 503
    told = bought.run("status")
    assert told.json["servers"][0]["says"] == platform.waits, "also with the 503 of a shop that sells nothing"
    platform.__exit__()
    earlier = time.time
    monkeypatch.setattr(time, "time", lambda: earlier() + 3 * 3600 + 60)
    for command in ("tickets", "status"):
        said = bought.say(command).out
        assert f"{platform.url} told 3 h 1 min ago: The database does not answer" in said
    (one,) = bought.run("tickets").json["told"]
    assert (one["server"], one["banner"]) == (platform.url, platform.waits)


def test_what_a_platform_told_is_forgotten_once_it_tells_that_all_is_well(bought: Home, platform: FakeServer) -> None:
    for platform.waits in ("Minting waits.", None):
        bought.run("status")
        assert ("Minting waits." in bought.say("tickets").out) == (platform.waits is not None)


def test_rekey_makes_older_codes_old(bought: Home, platform: FakeServer) -> None:
    before = bought.tickets()[0]
    ran = bought.run("rekey", before.key)
    assert ran.code == 0
    assert (ran.json["tickets"][0]["serial"], ran.json["tickets"][0]["binding_number"]) == (2, 2)
    theirs = next(one for one in platform.paid_orders[0].tickets if one.id == before.id)
    assert theirs.serial == 2


def test_lost_phone_is_replaced_by_phrase_and_receipt(
    bought: Home, platform: FakeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (paid,) = platform.paid_orders
    receipt = tmp_path / "receipt"
    receipt.write_text(bought.run("receipt", str(paid.id)).json["receipt"] + "\n")
    receipt.chmod(0o600)
    new = Home(tmp_path / "new-phone", capfd)
    ran = new.run("restore", "--receipt-file", str(receipt))
    assert ran.code == 0, ran.err
    assert [ticket["serial"] for ticket in ran.json["tickets"]] == [2, 2]
    assert [ticket.number for ticket in paid.tickets] == [2, 2]
    old = bought.run("status")
    assert all(ticket["superseded"] for ticket in old.json["tickets"])
    assert "Another device" in bought.run("show", "1", "--once").err


def test_lost_phone_is_replaced_by_the_phrase_alone(
    bought: Home, platform: FakeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All that is left is a piece of paper with twelve words."""
    assert bought.run(*order(platform, "--another")).code == 0
    new = Home(tmp_path / "new-phone", capfd)
    ran = new.run("restore", "--server", platform.url)
    assert ran.code == 0, ran.err
    assert ran.json["orders"] == 2
    assert [ticket["serial"] for ticket in ran.json["tickets"]] == [2, 2, 2]
    again = new.run("restore", "--event", "concert")
    assert [ticket["serial"] for ticket in again.json["tickets"]] == [2, 2, 2]


def test_another_phrase_finds_no_orders(
    bought: Home, platform: FakeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = Home(tmp_path / "other", capfd, phrase="abandon " * 11 + "about")
    assert other.run("restore", "--server", platform.url).json == {"orders": 0, "tickets": []}


def test_old_phones_binding_replayed_is_refused_and_says_so(
    bought: Home, platform: FakeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The thief holds the old phone: its stored request, sent again, binds nothing."""
    (paid,) = platform.paid_orders
    with bought.opened() as wallet:
        old = bought.purchases()[0]
        intent = old.bindings[str(paid.tickets[0].id)]
        assert bought.run("rekey", "1", "2").code == 0
        serials = [ticket.serial for ticket in paid.tickets]
        api = wallet.api(platform.url)
        platform._answers.clear()  # the platform has forgotten the idempotency keys of long ago
        with pytest.raises(Exception, match="wrong_binding_number"):
            api.credential(paid.tickets[0].id, paid.secret, intent)
    assert [ticket.serial for ticket in paid.tickets] == serials


def test_resuming_on_the_old_phone_never_steals_back_what_the_new_one_bound(
    home: Home, platform: FakeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The old phone was cut off between payment and ticket; the new one has the ticket since."""
    platform.polls_until_batched = 10_000
    assert home.run(*order(platform, "--wait", "0")).error == "tickets_on_their_way"
    platform.polls_until_batched = 0
    new = Home(tmp_path / "new-phone", capfd)
    assert new.run("restore", "--server", platform.url).code == 0
    assert new.run("rekey", "1").code == 0
    ran = home.run("resume")
    assert (ran.error, ran.code) == ("bound_elsewhere", exits.NOT_TRUSTED)
    assert platform.paid_orders[0].tickets[0].number == 2


def test_receipt_of_another_phrase_takes_nothing(
    bought: Home, platform: FakeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (paid,) = platform.paid_orders
    receipt = tmp_path / "receipt"
    receipt.write_text(bought.run("receipt", str(paid.id)).json["receipt"])
    receipt.chmod(0o600)
    thief = Home(tmp_path / "thief", capfd, phrase="abandon " * 11 + "about")
    assert thief.run("restore", "--receipt-file", str(receipt)).error == "other_phrase"
    assert [ticket.serial for ticket in paid.tickets] == [1, 1]


def test_guests_receipt_brings_the_tickets_to_any_wallet(
    home: Home, platform: FakeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert home.run(*order(platform, "--guest")).json["owner"] is None
    (paid,) = platform.paid_orders
    receipt = tmp_path / "receipt"
    receipt.write_text(home.run("receipt", str(paid.id)).json["receipt"])
    receipt.chmod(0o600)
    friend = Home(tmp_path / "friend", capfd, phrase="abandon " * 11 + "about")
    assert friend.run("restore", "--receipt-file", str(receipt)).code == 0
    assert paid.tickets[0].serial == 2


@pytest.mark.parametrize("text", ["", "nonsense", "truestub-receipt-1 a b c", "x http://127.0.0.1:1 0 secret"])
def test_what_is_no_receipt_is_said(home: Home, tmp_path: Path, text: str) -> None:
    receipt = tmp_path / "receipt"
    receipt.write_text(text)
    receipt.chmod(0o600)
    assert home.run("restore", "--receipt-file", str(receipt)).error in ("bad_receipt", "bad_address")


# --- everything else --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("show", "--full", "--compact"), ("buy",)])
def test_wrong_usage_is_a_sentence(home: Home, arguments: tuple[str, ...]) -> None:
    ran = home.run(*arguments)
    assert (ran.error, ran.code) == ("bad_arguments", exits.USAGE)
    assert "--help" in ran.err


def test_a_mistake_of_ours_is_a_sentence_too(bought: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet.cli.show.present", lambda *_arguments: 1 // 0)
    ran = bought.run("show", "1", "--once")
    assert (ran.error, ran.code) == ("internal_error", exits.INTERNAL)
    assert "Traceback" not in ran.err


def test_interrupted_purchase_says_that_nothing_is_lost(home: Home, platform: FakeServer) -> None:
    platform.polls_until_batched = 10_000
    process = home.start(*order(platform))
    ends = time.monotonic() + 30
    while platform.count("order") < 2:
        assert time.monotonic() < ends
        time.sleep(0.02)
    process.send_signal(2)
    _out, err = process.communicate(timeout=20)
    assert process.returncode == exits.INTERRUPTED
    assert "resume" in err
    assert "Traceback" not in err
    platform.polls_until_batched = 0
    assert home.run("resume").code == 0
    assert list(platform.charges.values()) == [1]


def test_nothing_is_paid_when_nobody_was_there_to_be_asked(home: Home, platform: FakeServer) -> None:
    ran = home.run("buy", "concert", "--class", "standing", "--server", platform.url)
    assert ran.error == "confirmation_needed"
