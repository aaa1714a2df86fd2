"""The recovery phrase: 12 or 24 English words that hold everything a wallet can make again (BIP-39)."""

import secrets
import unicodedata
from collections.abc import Callable

from eth_account.hdaccount.mnemonic import VALID_WORD_COUNTS, Mnemonic

from wallet.errors import WalletError
from wallet.i18n import gettext as _

NEW_PHRASE_WORDS = (12, 24)  # 128 or 256 bits


def new_phrase(words: int = 12, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A fresh phrase from `random(number of bytes)`."""
    if words not in NEW_PHRASE_WORDS:
        raise ValueError(f"words must be one of {NEW_PHRASE_WORDS}")
    return Mnemonic().to_mnemonic(random(words * 4 // 3))


def read_phrase(typed: str) -> str:
    """The phrase in its one spelling, however it was typed.

    Raises `WalletError` code `bad_phrase`, which names the place of a wrong word and never the word.
    """
    words = unicodedata.normalize("NFKD", typed).lower().split()
    mnemonic = Mnemonic()
    if len(words) not in VALID_WORD_COUNTS:
        raise WalletError(
            "bad_phrase", _("A recovery phrase has 12 or 24 words; this one has %d. Type it again.") % len(words)
        )
    known = frozenset(mnemonic.wordlist)
    for place, word in enumerate(words, 1):
        if word not in known:
            raise WalletError(
                "bad_phrase", _("Word %d is not a word of recovery phrases. Look at its spelling.") % place
            )
    phrase = " ".join(words)
    if not mnemonic.is_mnemonic_valid(phrase):
        raise WalletError(
            "bad_phrase", _("These words do not belong together: one is wrong, or two changed places. Compare them.")
        )
    return phrase
