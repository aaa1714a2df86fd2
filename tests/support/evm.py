"""Contracts in tests: the same calls on an in-process EVM (`RevmChain`) and on a real node (`NodeChain`).

chain = RevmChain()
tickets = chain.deploy("EventTickets", market, renderer)
tickets.send(sender, "mint", 1, 0, owners)      # a Receipt; raises Reverted
tickets.call("ownerOf", token_id)
"""

import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import pyrevm
from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic, function_abi_to_4byte_selector
from eth_utils.crypto import keccak

from contracts import load_artifact
from tests.support.anvil import Anvil, RpcError

Abi = list[dict[str, Any]]

GAS = 16_777_216  # EIP-7825: the most a transaction may ask for
CALL_GAS = 1_000_000_000  # what a call may use that is never sent
RECEIPT_SECONDS = 20.0
START = 1_800_000_000  # the first block's time on RevmChain, seconds since 1970


class Reverted(Exception):  # noqa: N818 (the chain's own word)
    """A call was refused. `name` and `arguments` are those of the custom error, or "" if there is none."""

    def __init__(self, data: bytes, name: str, arguments: tuple[Any, ...]) -> None:
        super().__init__(f"{name or data.hex() or 'no data'}{arguments}")
        self.data, self.name, self.arguments = data, name, arguments


@dataclass(frozen=True)
class Event:
    address: str
    name: str
    arguments: dict[str, Any]
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class RawLog:
    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Receipt:
    gas_used: int
    logs: tuple[RawLog, ...]
    events: tuple[Event, ...]

    def named(self, name: str) -> list[dict[str, Any]]:
        """The arguments of every event of that name, in order."""
        return [event.arguments for event in self.events if event.name == name]


class Chain(ABC):
    """What both chains do."""

    def __init__(self) -> None:
        self._abis: dict[str, Abi] = {}

    @property
    @abstractmethod
    def now(self) -> int:
        """The time that the next transaction sees, seconds since 1970."""

    @abstractmethod
    def set_time(self, timestamp: int) -> None:
        """The next transaction sees this time, never an earlier one."""

    @abstractmethod
    def transact(self, sender: str, to: str | None, data: bytes, value: int = 0, gas: int = GAS) -> tuple[Any, ...]:
        """Sends; (gas used, logs, address made or None). Raises Reverted."""

    @abstractmethod
    def ask(self, to: str, data: bytes, sender: str, value: int = 0) -> bytes:
        """Calls without effect; what it returned. Raises Reverted."""

    @abstractmethod
    def balance(self, account: str) -> int:
        """Wei."""

    @abstractmethod
    def fund(self, account: str, wei: int) -> None:
        """Sets the balance."""

    def deploy(self, name: str, *arguments: Any, sender: str = "", artifact: Any = None) -> "Contract":
        """Deploys an artifact of ours, or any object with `abi` and `bytecode`."""
        artifact = artifact or load_artifact(name)
        constructors = [entry for entry in artifact.abi if entry["type"] == "constructor"]
        types = _types(constructors[0]["inputs"]) if constructors else []
        code = bytes.fromhex(artifact.bytecode[2:]) + encode(types, arguments)
        _, _, address = self.transact(sender or account("deployer"), None, code)
        return self.at(address, artifact.abi)

    def at(self, address: str, abi: Abi) -> "Contract":
        self._abis[address.lower()] = abi
        return Contract(self, address.lower(), abi)

    def run(self, sender: str, to: str, data: bytes, value: int = 0, gas: int = GAS) -> Receipt:
        gas_used, logs, _ = self.transact(sender, to, data, value, gas)
        return Receipt(gas_used, logs, tuple(self.events(logs)))

    def events(self, logs: tuple[RawLog, ...]) -> Iterator[Event]:
        for log in logs:
            abi = self._abis.get(log.address.lower())
            if abi is not None:
                yield _decode_event(abi, log)

    def refused(self, data: bytes) -> Reverted:
        """The custom error behind revert data, by any ABI known here."""
        for abi in self._abis.values():
            found = _errors(_freeze(abi)).get(data[:4])
            if found is not None:
                name, types = found
                return Reverted(data, name, decode(types, data[4:]))
        return Reverted(data, "", ())


@dataclass(frozen=True)
class Contract:
    """A contract at an address of a chain."""

    chain: Chain
    address: str
    abi: Abi

    def encode(self, function: str, *arguments: Any) -> bytes:
        selector, inputs, _ = self._function(function, len(arguments))
        return selector + encode(inputs, arguments)

    def send(self, sender: str, function: str, *arguments: Any, value: int = 0, gas: int = GAS) -> Receipt:
        return self.chain.run(sender, self.address, self.encode(function, *arguments), value, gas)

    def call(self, function: str, *arguments: Any, sender: str = "", value: int = 0) -> Any:
        _, _, outputs = self._function(function, len(arguments))
        data = self.encode(function, *arguments)
        answer = decode(outputs, self.chain.ask(self.address, data, sender or account("anyone"), value))
        return answer[0] if len(answer) == 1 else answer

    def _function(self, name: str, count: int) -> tuple[bytes, list[str], list[str]]:
        """By name, or by signature where a name has overloads with as many arguments."""
        key = (id(self.abi), name, count)
        if key not in _FUNCTIONS:
            _FUNCTIONS[key] = (self.abi, self._find(name, count))
        return _FUNCTIONS[key][1]

    def _find(self, name: str, count: int) -> tuple[bytes, list[str], list[str]]:
        for entry in self.abi:
            if entry["type"] != "function":
                continue
            inputs = _types(entry["inputs"])
            if (entry["name"] == name and len(inputs) == count) or f"{entry['name']}({','.join(inputs)})" == name:
                return function_abi_to_4byte_selector(cast(Any, entry)), inputs, _types(entry["outputs"])
        raise LookupError(f"no function {name} with {count} arguments")


# Looked up once per ABI; the ABI is kept beside it so that its id stays its own.
_FUNCTIONS: dict[tuple[int, str, int], tuple[Abi, tuple[bytes, list[str], list[str]]]] = {}
_FROZEN: dict[int, tuple[Abi, str]] = {}


class RevmChain(Chain):
    """pyrevm: no node, no signatures; a transaction takes well under a millisecond."""

    def __init__(self, *, code_limit: int | None = None) -> None:
        super().__init__()
        env = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=31337, limit_contract_code_size=code_limit))
        self.evm = pyrevm.EVM(env, gas_limit=CALL_GAS, spec_id="CANCUN")
        self._number = 1
        self._now = START
        self._block()

    @property
    def now(self) -> int:
        return self._now

    def set_time(self, timestamp: int) -> None:
        self._now = timestamp
        self._number += 1
        self._block()

    def _block(self) -> None:
        self.evm.set_block_env(pyrevm.BlockEnv(number=self._number, timestamp=self._now, basefee=0, gas_limit=CALL_GAS))

    def transact(self, sender: str, to: str | None, data: bytes, value: int = 0, gas: int = GAS) -> tuple[Any, ...]:
        address = None
        try:
            if to is None:
                address = self.evm.deploy(sender, data, value, gas)
            else:
                self.evm.message_call(sender, to, data, value, gas)
        except RuntimeError as fault:
            raise self._refused(fault) from None
        result = self.evm.result
        if result is None:
            raise RuntimeError("the EVM kept no result")
        logs = tuple(RawLog(log.address, tuple(map(_hex, log.topics)), bytes(log.data[1])) for log in result.logs)
        self.evm.reset_transient_storage()
        return result.gas_used, logs, address

    def ask(self, to: str, data: bytes, sender: str, value: int = 0) -> bytes:
        point = self.evm.snapshot()
        try:
            return bytes(self.evm.message_call(sender, to, data, value, CALL_GAS))
        except RuntimeError as fault:
            raise self._refused(fault) from None
        finally:
            self.evm.revert(point)

    def balance(self, account: str) -> int:
        return int(self.evm.get_balance(account))

    def fund(self, account: str, wei: int) -> None:
        self.evm.set_balance(account, wei)

    def _refused(self, fault: RuntimeError) -> Exception:
        found = re.search(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*)", str(fault))
        return self.refused(bytes.fromhex(found[1])) if found else fault


class NodeChain(Chain):
    """A real anvil. Accounts are impersonated, so any address can send."""

    def __init__(self, node: Anvil) -> None:
        super().__init__()
        self.node = node
        node.rpc("anvil_autoImpersonateAccount", True)
        node.rpc("anvil_setBlockTimestampInterval", 1)

    @property
    def now(self) -> int:
        return int(self.node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16) + 1

    def set_time(self, timestamp: int) -> None:
        self.node.rpc("evm_setNextBlockTimestamp", timestamp)

    def transact(self, sender: str, to: str | None, data: bytes, value: int = 0, gas: int = GAS) -> tuple[Any, ...]:
        if self.balance(sender) < 10**20:
            self.fund(sender, 10**24)
        fields = {"from": sender, "data": "0x" + data.hex(), "value": hex(value), "gas": hex(gas)}
        if to is not None:
            fields["to"] = to
        hash_ = self.node.rpc("eth_sendTransaction", fields)
        receipt = self._receipt(hash_)
        if receipt["status"] != "0x1":
            self.ask_fields({**fields}, int(receipt["blockNumber"], 16) - 1)
            raise Reverted(b"", "", ())
        logs = tuple(
            RawLog(log["address"], tuple(map(_hex, log["topics"])), _hex(log["data"])) for log in receipt["logs"]
        )
        return int(receipt["gasUsed"], 16), logs, receipt["contractAddress"]

    def ask(self, to: str, data: bytes, sender: str, value: int = 0) -> bytes:
        return self.ask_fields(
            {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value), "gas": hex(CALL_GAS)}
        )

    def _receipt(self, hash_: str) -> dict[str, Any]:
        deadline = time.monotonic() + RECEIPT_SECONDS
        while time.monotonic() < deadline:
            if (receipt := self.node.rpc("eth_getTransactionReceipt", hash_)) is not None:
                return dict(receipt)
            time.sleep(0.002)
        raise TimeoutError(f"no receipt of {hash_}")

    def ask_fields(self, fields: dict[str, str], block: int | None = None) -> bytes:
        try:
            return _hex(self.node.rpc("eth_call", fields, "latest" if block is None else hex(block)))
        except RpcError as fault:
            raise self.refused(_hex(fault.data or "0x")) from None

    def balance(self, account: str) -> int:
        return int(self.node.rpc("eth_getBalance", account, "latest"), 16)

    def fund(self, account: str, wei: int) -> None:
        self.node.rpc("anvil_setBalance", account, hex(wei))


@cache
def account(name: str) -> str:
    """An address for a name; nobody has its key."""
    return "0x" + keccak(text=f"account {name}")[12:].hex()


def _types(inputs: list[dict[str, Any]]) -> list[str]:
    return [collapse_if_tuple(cast(Any, entry)) for entry in inputs]


def _hex(text: Any) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))


def _freeze(abi: Abi) -> str:
    """The ABI's errors and events as a key for the caches below."""
    if id(abi) not in _FROZEN:
        kept = [entry for entry in abi if entry["type"] in ("error", "event")]
        _FROZEN[id(abi)] = (abi, json.dumps(kept, sort_keys=True))
    return _FROZEN[id(abi)][1]


@cache
def _errors(frozen: str) -> dict[bytes, tuple[str, list[str]]]:
    found: dict[bytes, tuple[str, list[str]]] = {
        keccak(text="Panic(uint256)")[:4]: ("Panic", ["uint256"]),
        keccak(text="Error(string)")[:4]: ("Error", ["string"]),
    }
    for entry in json.loads(frozen):
        if entry["type"] == "error":
            types = _types(entry["inputs"])
            found[keccak(text=f"{entry['name']}({','.join(types)})")[:4]] = (entry["name"], types)
    return found


@cache
def _events(frozen: str) -> dict[bytes, dict[str, Any]]:
    return {event_abi_to_log_topic(entry): entry for entry in json.loads(frozen) if entry["type"] == "event"}


def _decode_event(abi: Abi, log: RawLog) -> Event:
    entry = _events(_freeze(abi)).get(log.topics[0])
    if entry is None:
        return Event(log.address, "", {}, log.topics, log.data)
    indexed = [field for field in entry["inputs"] if field["indexed"]]
    plain = [field for field in entry["inputs"] if not field["indexed"]]
    arguments: dict[str, Any] = {
        field["name"]: decode(_types([field]), topic)[0] for field, topic in zip(indexed, log.topics[1:], strict=True)
    }
    arguments |= dict(zip((field["name"] for field in plain), decode(_types(plain), log.data), strict=True))
    return Event(log.address, entry["name"], arguments, log.topics, log.data)
