"""The market's primary sales as bytes (SPEC 8.7): references, calldata, and what its events say. Pure."""

from dataclasses import dataclass

from eth_hash.auto import keccak

from backend.chain.calldata import contract_class, selector
from backend.chain.logs import WORD, RawLog, topic

ORDER_PAID = topic("OrderPaid(bytes32,address,address,uint256,uint256)")
ORDER_REFUNDED = topic("OrderRefunded(bytes32,address)")
ORDER_RELEASED = topic("OrderReleased(bytes32,address)")
MAX_AMOUNT_MINOR = 2**40 - 1  # that the market can price
MAX_UNITS = 2**96 - 1  # of a token, that the market keeps for one order

_PAY = selector("payOrder(address,uint8,uint256,bytes32)")
_APPROVE = selector("approve(address,uint256)")
_LISTS = {"refund_order": selector("refundOrders(bytes32[])"), "release_order": selector("releaseOrders(bytes32[])")}
MARKET_JOBS = tuple(_LISTS)  # kinds of jobs of ours that call the market


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an order's payment must look like; the reference binds all of it. Amount in minor units."""

    tickets: bytes
    class_number: int
    amount_minor: int
    salt: bytes

    @property
    def ref(self) -> bytes:
        """The order's reference, 32 bytes: keccak256(abi.encode(tickets, class, amount, salt))."""
        return keccak(_words(*self._fields))

    @property
    def calldata(self) -> bytes:
        """`payOrder` of it."""
        return _PAY + _words(*self._fields)

    @property
    def _fields(self) -> tuple[bytes, int, int, bytes]:
        return self.tickets, contract_class(self.class_number), self.amount_minor, self.salt


@dataclass(frozen=True, slots=True)
class OrderPaid:
    """The market took `amount_minor` for tickets of a class."""

    ref: bytes
    tickets: bytes
    payer: bytes
    class_number: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class OrderClosed:
    """The market let go of an order's money: to the payer (`refunded`), or to the organiser (`released`)."""

    ref: bytes
    state: str


def read_log(log: RawLog) -> OrderPaid | OrderClosed | None:
    """What a log of the market says about an order; None if nothing, or if it has not the shape."""
    kind, rest = log.topics[:WORD], log.topics[WORD:]
    if kind == ORDER_PAID and len(rest) == 3 * WORD and len(log.data) == 2 * WORD:
        class_, amount = int.from_bytes(log.data[:WORD]), int.from_bytes(log.data[WORD:])
        if class_ > 0xFF or amount > MAX_AMOUNT_MINOR:
            return None
        return OrderPaid(rest[:WORD], rest[WORD + 12 : 2 * WORD], rest[2 * WORD + 12 :], class_ + 1, amount)
    if kind in (ORDER_REFUNDED, ORDER_RELEASED) and len(rest) == 2 * WORD:
        return OrderClosed(rest[:WORD], "refunded" if kind == ORDER_REFUNDED else "released")
    return None


def approve_calldata(spender: bytes, units: int) -> bytes:
    """ERC-20's `approve`."""
    return _APPROVE + _words(spender, units)


def job_key(kind: str, market: bytes, ref: bytes) -> str:
    """Names the effect: once for each order of a market."""
    return f"{kind}:{market.hex()}:{ref.hex()}"


def job_market(key: str) -> bytes:
    """The market that a job of such a key calls."""
    return bytes.fromhex(key.split(":")[1])


def job_calldata(kind: str, ref: bytes) -> bytes:
    """`refundOrders` or `releaseOrders` of one order."""
    return _LISTS[kind] + _words(WORD, 1, ref)


def _words(*fields: bytes | int) -> bytes:
    return b"".join(one.to_bytes(WORD) if isinstance(one, int) else one.rjust(WORD, b"\0") for one in fields)
