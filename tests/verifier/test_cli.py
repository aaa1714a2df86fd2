"""The gate as its crew meets it: real processes, lines from a scanner, words on a screen, exit codes."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from credential.bundle import Status, Ticket
from tests.verifier.platform import Platform, serve_platform, serving
from verifier.cli import main

SECONDS = 60
MILLION = 1_000_000


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def folder(platform: Platform, tmp_path: Path) -> Path:
    return platform.gate_with_data(tmp_path / "gate")


def gate(folder: Path, *command: str, typed: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    program = [sys.executable, "-m", "verifier", "--data", str(folder), *command]
    return subprocess.run(program, input=typed, capture_output=True, timeout=SECONDS, check=False, **options)


def scan(folder: Path, *texts: str, **options: Any) -> list[dict[str, Any]]:
    done = gate(folder, "scan", "--json", "--no-network", typed="\n".join(texts).encode() + b"\n", **options)
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def codes(said: list[dict[str, Any]]) -> list[str]:
    return [one["code"] for one in said if "code" in one]


def test_ticket_is_admitted_once(folder: Path, platform: Platform) -> None:
    said = scan(folder, platform.full(), platform.full(), platform.compact())

    assert codes(said) == ["admit", "already_used", "already_used"]
    assert (said[0]["word"], said[0]["colour"], said[0]["class"]) == ("Admit", "green", "Stalls")
    assert said[1]["sentence"].startswith("This ticket was used at gate North, ")


def test_next_process_remembers(folder: Path, platform: Platform) -> None:
    assert codes(scan(folder, platform.full())) == ["admit"]
    assert codes(scan(folder, platform.full())) == ["already_used"]


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n", "\n\n"])
def test_scanners_end_their_lines_as_they_like(ending: str, folder: Path, platform: Platform) -> None:
    typed = ending.join([platform.full(0), platform.full(1), ""]).encode()

    done = gate(folder, "scan", "--json", typed=typed)

    assert codes([json.loads(line) for line in done.stdout.splitlines()]) == ["admit", "admit"]


def test_last_line_needs_no_ending(folder: Path, platform: Platform) -> None:
    done = gate(folder, "scan", "--json", typed=platform.full().encode())

    assert (done.returncode, json.loads(done.stdout)["code"]) == (0, "admit")


def test_code_of_a_million_characters_is_answered_and_jams_nothing(folder: Path, platform: Platform) -> None:
    said = scan(folder, "7" * MILLION, platform.full())

    assert codes(said) == ["malformed", "admit"]


def test_line_without_an_end_is_answered_before_it_ends(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "verifier", "--data", str(folder), "scan", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"1" * 10_000)
    process.stdin.flush()

    assert json.loads(process.stdout.readline())["code"] == "malformed"
    process.stdin.close()
    process.wait(SECONDS)
    process.stdout.close()


def test_garbage_never_jams_the_next_scan(folder: Path, platform: Platform) -> None:
    garbage = [b"\xff\xfe\x00", b"\x1b[2J", "\u0663".encode() * 489, b"' OR 1=1 --", b"%s%n", bytes(200)]
    typed = b"\n".join([*garbage, platform.full().encode(), b""])

    done = gate(folder, "scan", "--json", typed=typed)

    assert codes([json.loads(line) for line in done.stdout.splitlines()]) == ["malformed"] * len(garbage) + ["admit"]
    assert done.stderr == b""


def test_what_was_scanned_is_never_printed(folder: Path) -> None:
    """A code could carry control characters for the terminal, or somebody's secret."""
    done = gate(folder, "scan", typed=b"\x1b]0;owned\x07 secret\n")

    assert b"secret" not in done.stdout + done.stderr
    assert b"\x1b" not in done.stdout + done.stderr


def test_screenshot_older_than_the_window_is_stale(folder: Path, platform: Platform) -> None:
    said = scan(folder, platform.full(at=platform.now - 60))

    assert codes(said) == ["stale"]
    assert "challenge" in said[0]["advice"]


def test_exit_code_tells_whether_all_were_admitted(folder: Path, platform: Platform) -> None:
    assert gate(folder, "scan", typed=platform.full().encode()).returncode == 0
    assert gate(folder, "scan", typed=platform.full().encode()).returncode == 1
    assert gate(folder, "scan").returncode == 1  # `scan && open` must not open on an empty pipe


def test_screen_shows_word_why_and_what_to_do(folder: Path, platform: Platform) -> None:
    done = gate(folder, "scan", typed=platform.full(7).encode())

    assert done.stdout.decode().splitlines()[1].split() == ["+++", "ADMIT", "+++"]
    assert "Stalls, seat 7" in done.stdout.decode()
    assert "-> Let them in." in done.stdout.decode()


def test_screen_speaks_chinese(folder: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")

    assert "请入场" in gate(folder, "scan", typed=platform.full().encode()).stdout.decode()


def test_terminal_without_the_letters_still_gets_its_verdict(
    folder: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    done = gate(folder, "scan", typed=platform.full().encode())

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"+++" in done.stdout


def test_phone_whose_clock_is_ahead_answers_a_challenge(folder: Path, platform: Platform) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "verifier", "--data", str(folder), "scan", "--json", "--no-network"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def say(text: str, lines: int) -> list[dict[str, Any]]:
        assert process.stdin
        assert process.stdout
        process.stdin.write(text.encode() + b"\n")
        process.stdin.flush()
        return [json.loads(process.stdout.readline()) for _ in range(lines)]

    early, asked = say(platform.full(at=platform.now + 3600), 2)
    assert early["code"] == "early"
    assert len(asked["challenge"]) == 9
    assert asked["challenge"].startswith("001")
    answer = platform.answer(asked["challenge"])
    assert say(answer, 1)[0]["code"] == "admit"
    assert say(platform.answer(asked["challenge"], 1), 1)[0]["code"] == "wrong_challenge", "it is used up"
    fresh = say("challenge", 1)[0]["challenge"]
    assert say(answer, 1)[0]["code"] == "wrong_challenge", "an answer fits one challenge only"
    assert say(platform.answer(fresh, 2), 1)[0]["code"] == "admit"
    assert process.stdin
    process.stdin.close()
    process.wait(SECONDS)
    assert process.stdout
    process.stdout.close()


def test_challenge_command_takes_one_answer(folder: Path, platform: Platform) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "verifier", "--data", str(folder), "challenge", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    digits = json.loads(process.stdout.readline())["challenge"]

    rest, _ = process.communicate(platform.answer(digits).encode() + b"\n", SECONDS)

    assert (json.loads(rest)["code"], process.returncode) == ("admit", 0)


def test_gate_below_its_floor_takes_answers_only(tmp_path: Path) -> None:
    ahead = Platform()
    ahead.next_bundle(issued_at=ahead.now + 3600)
    folder = ahead.gate_with_data(tmp_path / "gate")

    said = scan(folder, ahead.full())

    assert codes(said) == ["gate_clock"]
    assert "challenge" in said[1]


def test_ticket_sold_after_the_bundle_is_admitted_offline(folder: Path, platform: Platform) -> None:
    sold_later = platform.full(token_id=2 << 16, issued_at=platform.now)

    assert codes(scan(folder, sold_later, sold_later)) == ["admit", "already_used"]


def test_newer_serial_once_seen_supersedes_for_good(folder: Path, platform: Platform) -> None:
    """The new holder's code was seen, though too old to enter by; the seller's is refused even after a restart."""
    old_but_signed = platform.full(serial=2, at=platform.now - 60)

    assert codes(scan(folder, old_but_signed)) == ["stale"]
    assert codes(scan(folder, platform.full())) == ["superseded"]
    assert codes(scan(folder, platform.compact())) == ["superseded"]
    assert codes(scan(folder, platform.full(serial=2))) == ["admit"]


def test_full_disk_admits_nobody_and_says_so(folder: Path, platform: Platform) -> None:
    def no_space_left() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = (folder / "admissions.log").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))

    said = scan(folder, platform.full(), platform.full(), preexec_fn=no_space_left)

    assert codes(said) == ["not_recorded", "not_recorded"]
    assert not said[0]["admitted"]
    assert codes(scan(folder, platform.full())) == ["admit"], "with space again, the ticket is as good as it was"


def test_gate_without_data_admits_nobody(tmp_path: Path, platform: Platform) -> None:
    folder = platform.set_up_gate(tmp_path / "gate")

    assert codes(scan(folder, platform.full())) == ["no_data"]


def test_damaged_log_stops_the_gate_with_a_sentence(folder: Path, platform: Platform) -> None:
    assert codes(scan(folder, platform.full(0), platform.full(1))) == ["admit", "admit"]
    log = bytearray((folder / "admissions.log").read_bytes())
    log[100] ^= 1
    (folder / "admissions.log").write_bytes(log)

    done = gate(folder, "scan", typed=platform.full(2).encode())

    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"log_damaged: ")
    assert b"Traceback" not in done.stderr


def test_status_says_ages_counts_and_risks(folder: Path, platform: Platform) -> None:
    scan(folder, platform.full(0), platform.full(1))

    said = json.loads(gate(folder, "status", "--json", "--no-network").stdout)
    words = gate(folder, "status").stdout.decode()

    assert (said["ready"], said["admitted"], said["unsynced"]) == (True, 2, 2)
    assert 120 <= said["data_age_seconds"] < 120 + SECONDS
    assert "2 admissions are known to this gate alone" in words
    assert "Admitted here: 2" in words


def test_status_works_beside_a_gate_that_is_scanning(folder: Path, platform: Platform) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "verifier", "--data", str(folder), "scan", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(platform.full().encode() + b"\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["code"] == "admit"

    assert json.loads(gate(folder, "status", "--json").stdout)["admitted"] == 1
    process.communicate(timeout=SECONDS)


def test_sync_reaches_a_gate_that_is_scanning(tmp_path: Path, platform: Platform) -> None:
    with serving(serve_platform(platform)) as url:
        folder = platform.give_data(platform.set_up_gate(tmp_path / "gate", url))
        process = subprocess.Popen(
            [sys.executable, "-m", "verifier", "--data", str(folder), "scan", "--json", "--no-network"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(platform.full(0).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["code"] == "admit"

        platform.next_bundle(tickets=platform.bundle.tickets.with_rows(50, {1: Ticket(Status.REVOKED, 1)}))
        assert gate(folder, "sync").returncode == 0
        said, _ = process.communicate(platform.full(1).encode() + b"\n", SECONDS)

    assert json.loads(said)["code"] == "revoked"


@pytest.mark.parametrize("command", ["scan", "sync", "status", "challenge"])
@pytest.mark.parametrize("is_there", [True, False])
def test_folder_that_is_no_gate_is_said_in_a_sentence(command: str, is_there: bool, tmp_path: Path) -> None:
    if is_there:
        (tmp_path / "gate").mkdir()

    done = gate(tmp_path / "gate", command)

    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"not_set_up: ")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"--root": "missing.json"}, "bad_trust_root"),
        ({"--root": "empty.json"}, "bad_trust_root"),
        ({"--token-file": "missing.txt"}, "bad_token"),
        ({"--token-file": "empty.json"}, "bad_token"),
        ({"--server": "tickets.example"}, "bad_server"),
        ({"--server": "ftp://tickets.example"}, "bad_server"),
        ({"--server": "https://user:secret@tickets.example"}, "bad_server"),
        ({"--server": "http://tickets.example"}, "plain_http_refused"),
        ({"--number": "0"}, "bad_gate_number"),
        ({"--number": "1000"}, "bad_gate_number"),
        ({"--event": "../../etc"}, "bad_event"),
    ],
)
def test_bad_set_up_is_refused_and_leaves_no_folder(
    changes: dict[str, str],
    code: str,
    platform: Platform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.json").write_text("")
    Path("root.json").write_text(json.dumps(platform.trust_root()))
    Path("token.txt").write_text("secret-token")
    good = {"--root": "root.json", "--token-file": "token.txt", "--server": "https://tickets.example"}
    asked = {**good, "--event": "tempest", "--number": "7", **changes}

    assert main(["--data", "gate", "init", *(part for pair in asked.items() for part in pair)]) == 3

    said = capsys.readouterr().err
    assert said.startswith(f"{code}: ")
    assert "secret" not in said
    assert not Path("gate").exists()


def test_set_up_twice_keeps_the_log(folder: Path, platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert codes(scan(folder, platform.full())) == ["admit"]

    with pytest.raises(AssertionError):
        platform.set_up_gate(folder)

    assert "already_set_up: " in capsys.readouterr().err
    assert codes(scan(folder, platform.full())) == ["already_used"]


def test_token_is_for_the_owner_only(folder: Path) -> None:
    assert (folder / "token").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("command", [[], ["nonsense"], ["scan", "--no-such"], ["init", "--number", "north"]])
def test_wrong_usage_has_a_code_and_says_where_help_is(folder: Path, command: list[str]) -> None:
    done = gate(folder, *command)

    assert done.returncode == 2
    assert done.stderr.startswith(b"bad_arguments: ")
    assert b"--help" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_screen_that_breaks_is_not_called_a_disk_and_the_entry_is_not_lost(folder: Path, platform: Platform) -> None:
    with open("/dev/full", "wb") as broken:  # noqa: PTH123 - a device
        program = [sys.executable, "-m", "verifier", "--data", str(folder), "scan"]
        typed = platform.full().encode() + b"\n"
        done = subprocess.run(program, input=typed, stdout=broken, stderr=subprocess.PIPE, timeout=SECONDS, check=False)

    assert done.returncode == 3
    assert done.stderr.startswith(b"no_screen: ")
    assert done.stderr.count(b"\n") == 1
    assert codes(scan(folder, platform.full())) == ["already_used"]


def test_log_cut_by_hand_is_told_to_the_guard_who_goes_on_admitting(folder: Path, platform: Platform) -> None:
    before = (folder / "admissions.log").read_bytes()
    scan(folder, platform.full(0))
    (folder / "admissions.log").write_bytes(before)

    done = gate(folder, "scan", "--json", typed=platform.full(1).encode())

    assert done.stderr.startswith(b"log_shortened: ")
    assert json.loads(done.stdout)["code"] == "admit"
    assert b"shorter than it was" in gate(folder, "status").stdout
