"""The gate says how old its data is and what that risks, in words."""

from dataclasses import replace

from credential.bundle import Gate, OfflinePolicy
from tests.verifier.platform import GATE, Platform
from verifier.status import Status, status_of


def status(platform: Platform, admitted: int = 0, problem: str | None = None, now: int | None = None) -> Status:
    when = platform.now if now is None else now
    return status_of(platform.key_list, platform.bundle, problem, GATE, admitted, when)


def test_fresh_gate_with_nothing_to_tell_has_no_risks() -> None:
    assert status(Platform()).risks == ()


def test_old_data_is_said_with_its_age() -> None:
    platform = Platform()

    stands = status(platform, now=platform.bundle.rows_through + 2 * 3600)

    assert stands.data_age_seconds == 7200
    assert stands.risks[-1].startswith("The data is 2 h old: a ticket moved, refunded or revoked since then")


def test_admissions_nobody_else_knows_are_a_risk() -> None:
    assert "3 admissions are known to this gate alone" in status(Platform(), admitted=3).risks[0]
    assert "1 admission is known to this gate alone" in status(Platform(), admitted=1).risks[0]


def test_expired_key_list_is_said() -> None:
    platform = Platform()

    assert "has expired" in status(platform, now=platform.key_list.expires).risks[0]
    assert "expires in 23 h" in status(platform, now=platform.key_list.expires - 23 * 3600 - 5).risks[0]


def test_clock_behind_the_data_is_said() -> None:
    platform = Platform()

    assert "clock is behind" in status(platform, now=platform.bundle.issued_at - 60).risks[0]


def test_gate_that_is_not_enrolled_is_said() -> None:
    platform = Platform()
    platform.bundle = replace(platform.bundle, gates=(Gate(7, "South"),))

    assert "not enrolled" in status(platform).risks[0]


def test_policy_of_a_gate_among_several_is_said() -> None:
    platform = Platform()
    for policy, words in (
        (OfflinePolicy.LOCAL, "not known here"),
        (OfflinePolicy.HOME, "its own share"),
        (OfflinePolicy.REFUSE, "admit nobody"),
    ):
        gates = (Gate(GATE, "North"), Gate(7, "South"))
        platform.bundle = replace(platform.bundle, gates=gates, offline_policy=policy)
        assert words in status(platform).risks[0]


def test_gate_without_data_is_said() -> None:
    stands = status_of(None, None, "none_yet", GATE, 0, 1000)

    assert not stands.ready
    assert stands.risks == ("There is no valid data for the event: this gate can admit nobody. Sync it.",)


def test_refused_data_is_said_with_its_reason() -> None:
    assert "(older_version)" in status(Platform(), problem="older_version").risks[0]
