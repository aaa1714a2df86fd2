"""The key registry: additions wait, revocations don't, rotated is not compromised (SPEC 8.10)."""

from hashlib import sha256

import pytest

from contracts import load_artifact
from tests.contracts.world import ADMIN, DAY, KEYS, RELAYER, refused
from tests.support.evm import START, Contract, Reverted, RevmChain, account

KEYS_KEY, ANCHOR_KEY, STRANGER = account("keys"), account("anchor"), account("stranger")
DELAY = 3_600  # seconds
ED25519, ISSUING, BUNDLE, GATE = 1, 1, 2, 3
ROTATED, COMPROMISED = 1, 2
EVENT, OTHER_EVENT, EVERY_EVENT = b"event001", b"event002", b"\0" * 8
PUBLIC_KEY = sha256(b"a public key").digest()
KEY_ID = sha256(PUBLIC_KEY).digest()[:4]


@pytest.fixture
def registry(chain: RevmChain) -> Contract:
    return chain.deploy("KeyRegistry", ADMIN, KEYS_KEY, ANCHOR_KEY, DELAY)


def add(registry: Contract, **change: object) -> bytes:
    key = {
        "algorithm": ED25519,
        "role": ISSUING,
        "event_tag": EVENT,
        "public_key": PUBLIC_KEY,
        "not_before": START,
        "not_after": START + 30 * DAY,
    } | change
    receipt = registry.send(KEYS_KEY, "addKey", *key.values())
    return bytes(receipt.named("KeyAdded")[0]["keyId"])


def valid(registry: Contract, time: int, role: int = ISSUING, event: bytes = EVENT) -> bool:
    return bool(registry.call("isValidAt", KEY_ID, role, event, time))


def test_a_key_has_the_id_that_key_lists_give_it(registry: Contract) -> None:
    assert add(registry) == KEY_ID
    assert registry.call("keyCount") == 1
    assert registry.call("keyIdAt", 0) == KEY_ID
    record = registry.call("keyOf", KEY_ID)
    assert record == (PUBLIC_KEY, 1, 1, EVENT, START, START + 30 * DAY, START + DELAY, 0, 0)


def test_an_added_key_counts_only_after_the_delay(registry: Contract) -> None:
    add(registry)
    assert [valid(registry, START + DELAY - 1), valid(registry, START + DELAY)] == [False, True]


def test_a_key_counts_from_its_first_second_until_before_its_last(registry: Contract) -> None:
    first, last = START + 2 * DAY, START + 3 * DAY
    add(registry, not_before=first, not_after=last)
    assert [valid(registry, time) for time in (first - 1, first, last - 1, last)] == [False, True, True, False]


def test_a_key_counts_for_its_role_and_its_event_only(registry: Contract) -> None:
    add(registry)
    time = START + DAY
    assert not valid(registry, time, role=GATE)
    assert not valid(registry, time, event=OTHER_EVENT)


def test_a_key_of_the_platform_counts_for_every_event(registry: Contract) -> None:
    add(registry, event_tag=EVERY_EVENT)
    assert valid(registry, START + DAY)
    assert valid(registry, START + DAY, event=OTHER_EVENT)


def test_a_rotated_key_honours_what_it_signed_before(chain: RevmChain, registry: Contract) -> None:
    add(registry)
    chain.set_time(START + DAY)
    receipt = registry.send(KEYS_KEY, "revokeKey", KEY_ID, ROTATED)
    assert receipt.named("KeyRevoked") == [{"keyId": KEY_ID, "reason": ROTATED, "revokedAt": START + DAY}]
    assert [valid(registry, START + DAY + late) for late in (-1, 0, 1)] == [True, True, False]


def test_a_compromised_key_voids_everything_it_signed_at_once(chain: RevmChain, registry: Contract) -> None:
    add(registry)
    chain.set_time(START + DAY)
    registry.send(KEYS_KEY, "revokeKey", KEY_ID, COMPROMISED)
    assert not any(valid(registry, START + time) for time in (DELAY, DAY - 1, DAY, DAY + 1))


def test_rotated_becomes_compromised_and_never_the_reverse(chain: RevmChain, registry: Contract) -> None:
    add(registry)
    chain.set_time(START + DAY)
    registry.send(KEYS_KEY, "revokeKey", KEY_ID, ROTATED)
    refused(lambda: registry.send(KEYS_KEY, "revokeKey", KEY_ID, ROTATED), "KeyAlreadyRevoked", KEY_ID, ROTATED)
    chain.set_time(START + 2 * DAY)
    registry.send(KEYS_KEY, "revokeKey", KEY_ID, COMPROMISED)
    assert registry.call("keyOf", KEY_ID)[-2:] == (START + DAY, COMPROMISED)
    for reason in (ROTATED, COMPROMISED):
        refused(lambda: registry.send(KEYS_KEY, "revokeKey", KEY_ID, reason), "KeyAlreadyRevoked", KEY_ID, COMPROMISED)  # noqa: B023 (called at once)


def test_an_addition_nobody_announced_is_revoked_before_it_counts(registry: Contract) -> None:
    add(registry)
    registry.send(KEYS_KEY, "revokeKey", KEY_ID, COMPROMISED)
    assert not valid(registry, START + DAY)


def test_ids_are_unique_for_good(registry: Contract) -> None:
    add(registry)
    registry.send(KEYS_KEY, "revokeKey", KEY_ID, COMPROMISED)
    refused(lambda: add(registry, role=GATE), "KeyIdTaken", KEY_ID, PUBLIC_KEY)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"algorithm": 0}, b"algorithm"),
        ({"algorithm": 2}, b"algorithm"),
        ({"role": 0}, b"role"),
        ({"role": 4}, b"role"),
        ({"public_key": b"\0" * 32}, b"publicKey"),
        ({"not_after": START}, b"notAfter"),
    ],
)
def test_a_key_that_cannot_be_is_refused_by_field(registry: Contract, change: dict[str, object], field: bytes) -> None:
    refused(lambda: add(registry, **change), "KeyInvalid", field.ljust(32, b"\0"))


@pytest.mark.parametrize("reason", [0, 3, 255])
def test_reasons_are_two(registry: Contract, reason: int) -> None:
    add(registry)
    refused(lambda: registry.send(KEYS_KEY, "revokeKey", KEY_ID, reason), "ReasonInvalid", reason)


def test_unknown_keys_are_named(registry: Contract) -> None:
    refused(lambda: registry.send(KEYS_KEY, "revokeKey", KEY_ID, ROTATED), "UnknownKey", KEY_ID)
    refused(lambda: registry.call("keyOf", KEY_ID), "UnknownKey", KEY_ID)
    refused(lambda: valid(registry, START), "UnknownKey", KEY_ID)
    refused(lambda: registry.call("keyIdAt", 0), "UnknownKey")


def test_only_the_keys_role_handles_keys_and_only_the_relayer_anchors(registry: Contract) -> None:
    for who in (ADMIN, ANCHOR_KEY, STRANGER):
        arguments = (ED25519, ISSUING, EVENT, PUBLIC_KEY, START, START + DAY)
        refused(lambda: registry.send(who, "addKey", *arguments), "MissingRole", who, KEYS)  # noqa: B023 (called at once)
        refused(lambda: registry.send(who, "revokeKey", KEY_ID, 1), "MissingRole", who, KEYS)  # noqa: B023 (called at once)
    for who in (ADMIN, KEYS_KEY, STRANGER):
        refused(lambda: registry.send(who, "anchorBundle", EVENT, 1, b"\1" * 32), "MissingRole", who, RELAYER)  # noqa: B023 (called at once)


def test_a_bundle_is_anchored_with_the_block_before_it(chain: RevmChain, registry: Contract) -> None:
    root = sha256(b"bundle").digest()
    anchored = registry.send(ANCHOR_KEY, "anchorBundle", EVENT, 5, root).named("BundleAnchored")[0]
    assert (anchored["eventTag"], anchored["version"], anchored["root"]) == (EVENT, 5, root)
    assert registry.call("bundleVersion", EVENT) == 5
    stored = registry.call("bundleAnchor", EVENT, 5)
    assert stored == (root, anchored["blockHash"], anchored["blockNumber"], START)
    assert registry.call("bundleAnchor", OTHER_EVENT, 5) == (b"\0" * 32, b"\0" * 32, 0, 0)


def test_bundle_versions_only_grow(registry: Contract) -> None:
    registry.send(ANCHOR_KEY, "anchorBundle", EVENT, 5, b"\1" * 32)
    for version in (0, 4, 5):
        refused(
            lambda: registry.send(ANCHOR_KEY, "anchorBundle", EVENT, version, b"\2" * 32),  # noqa: B023 (called at once)
            "VersionNotRising",
            EVENT,
            5,
            version,
        )
    refused(lambda: registry.send(ANCHOR_KEY, "anchorBundle", EVENT, 6, b"\0" * 32), "RootMissing")
    registry.send(ANCHOR_KEY, "anchorBundle", OTHER_EVENT, 1, b"\3" * 32)


def test_a_delay_beyond_thirty_days_is_refused(chain: RevmChain) -> None:
    chain.at(account("registry"), load_artifact("KeyRegistry").abi)
    with pytest.raises(Reverted, match="KeyInvalid"):
        chain.deploy("KeyRegistry", ADMIN, KEYS_KEY, ANCHOR_KEY, 30 * DAY + 1)


def test_the_admin_replaces_a_stolen_keys_key(registry: Contract) -> None:
    registry.send(ADMIN, "revokeRoles", KEYS_KEY, KEYS)
    refused(lambda: add(registry), "MissingRole", KEYS_KEY, KEYS)
    refused(lambda: registry.send(ADMIN, "grantRoles", STRANGER, 1), "UnknownRoles", 1)
    registry.send(ADMIN, "grantRoles", STRANGER, KEYS)
