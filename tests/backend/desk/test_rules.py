"""The desk's pure rules."""

import pyotp
import pytest

from backend.desk.roles import PERMISSIONS, ROLES, may
from backend.desk.second_factor import new_key, step_of
from backend.desk.throttle import FORGET_SECONDS, FREE_ATTEMPTS, LONGEST_WAIT_SECONDS, wait_seconds

NOW = 1_900_000_000.0
STEP = int(NOW) // 30


def test_who_may_what() -> None:
    assert {permission for permission in PERMISSIONS if may("box_office", permission)} == {
        *("work", "see_figures", "find_orders", "see_buyers", "sell", "help_buyers")
    }
    assert {permission for permission in PERMISSIONS if may("gate_supervisor", permission)} == {
        *("work", "see_figures", "find_orders", "help_buyers")
    }
    assert all(may("owner", permission) for permission in PERMISSIONS)
    assert not may("finance", "sell")


def test_unknown_roles_and_permissions_have_nothing() -> None:
    assert not any(may(role, "work") for role in ("", "admin", "Owner"))
    assert not any(may(role, "everything") for role in ROLES)


def test_a_code_counts_in_its_own_step_and_a_step_around_it() -> None:
    key = new_key()
    totp = pyotp.TOTP(key)
    assert [step_of(key, totp.generate_otp(STEP + off), NOW, 0) for off in (-2, -1, 0, 1, 2)] == [
        *(None, STEP - 1, STEP, STEP + 1, None)
    ]


def test_a_code_is_taken_once() -> None:
    key = new_key()
    code = pyotp.TOTP(key).generate_otp(STEP)
    assert step_of(key, code, NOW, STEP - 1) == STEP
    assert step_of(key, code, NOW, STEP) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "12 345"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert step_of(new_key(), code, NOW, 0) is None


def test_waiting_grows_to_a_bound_and_is_forgotten() -> None:
    waits = [wait_seconds(count, 0, FREE_ATTEMPTS) for count in range(FREE_ATTEMPTS + 12)]
    assert waits[:FREE_ATTEMPTS] == [0] * FREE_ATTEMPTS
    assert waits == sorted(waits)
    assert waits[FREE_ATTEMPTS] > 0
    assert waits[-1] <= LONGEST_WAIT_SECONDS + 1
    assert wait_seconds(1000, FORGET_SECONDS, FREE_ATTEMPTS) == 0
