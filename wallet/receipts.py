"""A receipt: one line of text that names an order, where it was made, its secret and its owner (SPEC 4.6)."""

import re
from dataclasses import dataclass
from uuid import UUID

from wallet.api import checked_server
from wallet.errors import WalletError
from wallet.i18n import gettext as _

_MARK = "truestub-receipt-1"
_CUSTODY = "custody"
_SECRET = re.compile(r"[!-~]{16,200}")
_OWNER = re.compile(r"custody|0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """`owner` is the 20-byte address that owns the tickets; none: they are in the platform's custody."""

    server: str
    order_id: UUID
    secret: str
    owner: bytes | None


def write_receipt(receipt: Receipt) -> str:
    """Five words with spaces between them."""
    owner = "0x" + receipt.owner.hex() if receipt.owner is not None else _CUSTODY
    return f"{_MARK} {receipt.server} {receipt.order_id} {receipt.secret} {owner}"


def read_receipt(text: str, *, allow_http: bool = False) -> Receipt:
    """The inverse of `write_receipt`. Raises `bad_receipt`."""
    try:
        mark, server, order_id, secret, owner = text.split()
        if mark == _MARK and _SECRET.fullmatch(secret) and _OWNER.fullmatch(owner):
            address = None if owner == _CUSTODY else bytes.fromhex(owner[2:])
            return Receipt(checked_server(server, allow_http=allow_http), UUID(order_id), secret, address)
    except ValueError:
        pass
    raise WalletError(
        "bad_receipt", _("This is not a receipt. It is one line that begins with %s; copy the whole of it.") % _MARK
    )
