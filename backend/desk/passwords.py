"""Passwords: argon2id from libsodium (RFC 9106), at most `AT_ONCE` at a time so that sign-ins can't eat the memory."""

import threading

from nacl.exceptions import InvalidkeyError
from nacl.pwhash import argon2id

from backend.errors import refuse
from backend.i18n import gettext as _

MIN_CHARACTERS = 12
MAX_CHARACTERS = 200
PASSES = 3
MEMORY_BYTES = 32 * 1024 * 1024
AT_ONCE = 2

_turns = threading.BoundedSemaphore(AT_ONCE)


def hash_password(password: str) -> str:
    """The password as argon2id's text, with a salt of its own."""
    with _turns:
        return argon2id.str(password.encode(), PASSES, MEMORY_BYTES).decode()


def is_password(hashed: str, password: str) -> bool:
    """Whether `hashed` was made of this password."""
    with _turns:
        try:
            return argon2id.verify(hashed.encode(), password[:MAX_CHARACTERS].encode())
        except InvalidkeyError:
            return False


def check_new(password: str, name: str) -> None:
    """Refuse (`weak_password`) what is guessed first. Length counts, not kinds of characters (NIST SP 800-63B)."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        words = {"low": MIN_CHARACTERS, "high": MAX_CHARACTERS}
        raise refuse(
            "weak_password", _("Take a password of %(low)d to %(high)d characters; a sentence is fine") % words
        )
    plain = password.lower()
    if len(set(plain)) < 5 or name.lower() in plain or "password" in plain or "truestub" in plain:
        raise refuse("weak_password", _("This password is easily guessed; take a sentence of your own"))
