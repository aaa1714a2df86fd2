"""A receipt: one line of text that names an order, where it was made, its secret and its owner (SPEC 4.6)."""

import re
from dataclasses import dataclass
from uuid import UUID

from wallet.api import checked_server
from wallet.errors import WalletError
from wallet.i18n import gettext as _

_MARK = "truestub-receipt-1"
_SECRET = re.compile(r"[!-~]{16,200}")
_OWNER = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """`owner` is the 20-byte address that owns the tickets; none: they are in the platform's custody."""

    server: str
    order_id: UUID
    secret: str
    owner: bytes | None


def write_receipt(receipt: Receipt) -> str:
    """Four words with spaces between them, and the owner where there is one."""
    line = f"{_MARK} {receipt.server} {receipt.order_id} {receipt.secret}"
    return line if receipt.owner is None else f"{line} 0x{receipt.owner.hex()}"


def read_receipt(text: str, *, allow_http: bool = False) -> Receipt:
    """The inverse of `write_receipt`. Raises `bad_receipt`."""
    try:
        mark, server, order_id, secret, *owner = text.split()
        if mark == _MARK and _SECRET.fullmatch(secret) and all(map(_OWNER.fullmatch, owner)) and len(owner) < 2:
            address = bytes.fromhex(owner[0][2:]) if owner else None
            return Receipt(checked_server(server, allow_http=allow_http), UUID(order_id), secret, address)
    except ValueError:
        pass
    raise WalletError(
        "bad_receipt", _("This is not a receipt. It is one line that begins with %s; copy the whole of it.") % _MARK
    )
