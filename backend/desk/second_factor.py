"""The second factor: time-based one-time codes (RFC 6238: six digits, 30 s, SHA-1, as every app has them)."""

from uuid import UUID

import pyotp

from backend.privacy.sealing import derived_key, seal, unseal

ISSUER = "Truestub"
STEP_SECONDS = 30
STEPS_EARLIER, STEPS_LATER = 1, 1  # a phone's clock may be so far off


def new_key() -> str:
    """160 random bits in Base32, as apps take them."""
    return pyotp.random_base32()


def set_up_address(key: str, name: str) -> str:
    """What an app scans (otpauth)."""
    return pyotp.TOTP(key).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(key: str, code: str, now: float, last_step: int) -> int | None:
    """The time step whose code this is; none if it is none of now's, or not later than the last one taken."""
    if not (len(code) == 6 and code.isascii() and code.isdigit()):
        return None
    present = int(now) // STEP_SECONDS
    totp = pyotp.TOTP(key)
    for step in range(max(present - STEPS_EARLIER, last_step + 1), present + STEPS_LATER + 1):
        if pyotp.utils.strings_equal(totp.generate_otp(step), code):
            return step
    return None


def sealed_key(secret: bytes, account_id: UUID, key: str) -> bytes:
    """The key as it is stored."""
    return seal(derived_key(secret, "desk-totp"), key.encode(), _place(account_id))


def opened_key(secret: bytes, account_id: UUID, sealed: bytes) -> str:
    """The key that `sealed_key` made."""
    return unseal(derived_key(secret, "desk-totp"), sealed, _place(account_id)).decode()


def _place(account_id: UUID) -> tuple[str, str, str]:
    return ("desk_accounts", str(account_id), "totp_key")
