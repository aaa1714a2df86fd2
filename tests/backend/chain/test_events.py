"""Everything our contracts emit is indexed, or left out for a reason that stands here."""

from typing import Any

import pytest

from backend.chain.indexer import LOGGED
from backend.chain.logs import (
    BATCH_ALREADY_MINTED,
    BATCH_MINTED,
    EVENT_CANCELLED,
    EVENT_CREATED,
    REDEEM_OVERLAP,
    TICKETS_REDEEMED,
    TRANSFER,
    topic,
)
from contracts import load_artifact

KIND_OF = {"EventTickets": "event", "EventFactory": "factory", "TicketMarket": "market", "KeyRegistry": "registry"}

# What changes the index or the fate of a job.
HANDLED = {
    TRANSFER,
    TICKETS_REDEEMED,
    REDEEM_OVERLAP,
    BATCH_MINTED,
    BATCH_ALREADY_MINTED,
    EVENT_CREATED,
    EVENT_CANCELLED,
    *(topic(f"Ticket{word}(uint256)") for word in ("Suspended", "Reinstated", "Revoked")),
}
# What is stored raw, with the transaction that left it, and changes no token.
KEPT = {
    "TicketClaimed": "its Transfer says the same",
    "MetadataUpdate": "ERC-4906 repeats, for markets, what the status events say",
    "BatchMetadataUpdate": "likewise",
    "Locked": "ERC-5192 repeats the class's policy",
    "Unlocked": "never emitted: a policy never becomes free",
    "EIP712DomainChanged": "never emitted: the domain is fixed",
    "Approval": "moves nothing; the Transfer that uses it does",
    "ApprovalForAll": "likewise",
    "ContractURIUpdated": "drawn on chain when asked for",
    "ClassAdded": "our row of the class came first",
    "CapacityChanged": "an admin's own act; the simulation sees it",
    "TimesChanged": "likewise",
    "PolicyChanged": "likewise",
    "StopsChanged": "likewise",
    "DetailsChanged": "likewise",
    "RolesChanged": "who may do what is asked of the chain by doctor",
    "AdminProposed": "likewise",
    "AdminChanged": "likewise",
    "AskFilled": "the Transfer beside it moves the ticket",
    "SaleSettled": "likewise",
    "AskCancelled": "a signed ask is void on the chain; nothing of ours depends on it",
    "CounterRaised": "likewise",
    "OrderPaid": "the provider that pays on chain reads it from the stored logs",
    "OrderRefunded": "likewise",
    "OrderReleased": "likewise",
    "Credited": "money in the market is fetched there",
    "Withdrawn": "likewise",
    "KeyAdded": "the job that asked for it is settled by it; auditors compare the registry with the key list",
    "KeyRevoked": "likewise",
    "BundleAnchored": "likewise",
}


def _signature(event: dict[str, Any]) -> str:
    return f"{event['name']}({','.join(_type(field) for field in event['inputs'])})"


def _type(field: dict[str, Any]) -> str:
    if not field["type"].startswith("tuple"):
        return str(field["type"])
    parts = ",".join(_type(part) for part in field["components"])
    return f"({parts}){field['type'].removeprefix('tuple')}"


@pytest.mark.parametrize("contract", KIND_OF)
def test_every_event_of_our_contracts_is_handled_or_kept_for_a_reason(contract: str) -> None:
    assert KIND_OF[contract] in LOGGED
    events = [entry for entry in load_artifact(contract).abi if entry["type"] == "event"]
    assert events
    for event in events:
        handled, kept = topic(_signature(event)) in HANDLED, event["name"] in KEPT
        assert handled != kept, f"{contract}.{event['name']} is neither handled nor kept for a reason, or both"


def test_no_reason_outlives_its_event() -> None:
    names = {entry["name"] for contract in KIND_OF for entry in load_artifact(contract).abi if entry["type"] == "event"}
    assert set(KEPT) <= names | {"Unlocked"}
