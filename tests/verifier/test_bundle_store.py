"""What a gate takes for true: verified, never older, never half; what it refuses leaves the old in force."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from credential.bundle import Status, Ticket, sign_bundle
from credential.delta import make_delta
from credential.keylist import KeyEntry, Reason, Role, encode_key_list, sign_key_list
from tests.verifier.platform import DAY, Platform, key, public
from verifier.bundle_store import Accepted, BundleStore, Refused
from verifier.config import Folder, load
from verifier.errors import GateError


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def folder(platform: Platform, tmp_path: Path) -> Folder:
    return Folder(platform.set_up_gate(tmp_path / "gate"))


@pytest.fixture
def store(platform: Platform, folder: Folder) -> BundleStore:
    """A store with version 3 of list and bundle in force."""
    store = BundleStore(folder, load(folder))
    platform.next_key_list()
    platform.next_key_list()
    assert store.accept_key_list(platform.signed_key_list, platform.now) == Accepted(3, changed=True)
    assert store.accept_bundle(platform.snapshot) == Accepted(3, changed=True)
    return store


def reopened(folder: Folder) -> BundleStore:
    return BundleStore(folder, load(folder))


def encoded(store: BundleStore) -> bytes:
    assert store.key_list is not None
    return encode_key_list(store.key_list)


def version(store: BundleStore) -> int | None:
    return store.bundle.version if store.bundle else None


def test_accepted_data_survives_a_restart(store: BundleStore, folder: Folder, platform: Platform) -> None:
    again = reopened(folder)

    assert (again.bundle, again.problem) == (platform.bundle, None)
    assert encoded(again) == encode_key_list(platform.key_list)
    assert again.accept_bundle(platform.snapshot) == Accepted(3, changed=False)
    assert again.accept_key_list(platform.signed_key_list, platform.now) == Accepted(3, changed=False)
    assert version(store) == 3


def test_bundle_cut_in_half_leaves_the_old_one_in_force(store: BundleStore, folder: Folder, platform: Platform) -> None:
    platform.next_bundle()

    assert store.accept_bundle(platform.snapshot[: len(platform.snapshot) // 2]) == Refused("truncated")
    assert (version(store), version(reopened(folder))) == (3, 3)


@pytest.mark.parametrize("where", [4, 40, 200, -1, -70])
def test_altered_bundle_leaves_the_old_one_in_force(
    where: int, store: BundleStore, folder: Folder, platform: Platform
) -> None:
    platform.next_bundle()
    altered = bytearray(platform.snapshot)
    altered[where] ^= 1

    assert isinstance(store.accept_bundle(bytes(altered)), Refused)
    assert (version(store), version(reopened(folder))) == (3, 3)


def test_every_cut_of_a_bundle_is_refused(store: BundleStore, platform: Platform) -> None:
    platform.next_bundle()
    snapshot = platform.snapshot

    accepted = [cut for cut in range(len(snapshot)) if store.accept_bundle(snapshot[:cut]) != Refused("truncated")]

    assert accepted == [], "an empty answer is cut short too"


def test_older_bundle_is_refused(store: BundleStore, platform: Platform) -> None:
    platform.bundle = replace(platform.bundle, version=2)

    assert store.accept_bundle(platform.snapshot) == Refused("older_version")
    assert version(store) == 3


def test_older_bundle_put_on_the_disk_is_not_taken_up(store: BundleStore, folder: Folder, platform: Platform) -> None:
    platform.bundle = replace(platform.bundle, version=2)
    folder.bundle.write_bytes(platform.snapshot)
    store.reload()
    again = reopened(folder)

    assert (version(store), store.problem) == (3, "older_version")
    assert (version(again), again.problem) == (None, "older_version")


def test_file_cut_in_half_under_a_running_gate_leaves_the_old_in_force(store: BundleStore, folder: Folder) -> None:
    folder.bundle.write_bytes(folder.bundle.read_bytes()[:100])
    store.reload()

    assert (version(store), store.problem) == (3, "truncated")


def test_other_content_under_the_same_version_is_refused(store: BundleStore, platform: Platform) -> None:
    platform.bundle = replace(platform.bundle, event_name="Another play")

    assert store.accept_bundle(platform.snapshot) == Refused("same_version_other_content")


def test_bundle_by_an_unknown_key_is_refused(store: BundleStore, platform: Platform) -> None:
    platform.next_bundle()

    assert store.accept_bundle(sign_bundle(platform.bundle, key("mallory"))) == Refused("unknown_key")
    assert store.accept_bundle(sign_bundle(platform.bundle, key("issuer"))) == Refused("unknown_key")


def test_bundle_of_another_event_is_refused(store: BundleStore, platform: Platform) -> None:
    other = Platform(event_id=platform.event_id.__class__(int=78))
    anywhere = KeyEntry(public("bundle"), Role.BUNDLE, None, platform.now - DAY, platform.now + DAY)
    platform.next_key_list(entries=(anywhere,))
    assert store.accept_key_list(platform.signed_key_list, platform.now) == Accepted(4, changed=True)
    digest = platform.bundle.key_list_digest
    bundle = replace(other.bundle, version=9, key_list_version=4, key_list_digest=digest)

    assert store.accept_bundle(sign_bundle(bundle, key("bundle"))) == Refused("other_event")


def test_bundle_that_needs_a_newer_key_list_waits_for_it(store: BundleStore, platform: Platform) -> None:
    platform.next_key_list()

    assert store.accept_bundle(platform.snapshot) == Refused("needs_newer_key_list")
    assert store.accept_key_list(platform.signed_key_list, platform.now) == Accepted(4, changed=True)
    assert store.accept_bundle(platform.snapshot) == Accepted(4, changed=True)


def test_delta_gives_the_very_bundle(store: BundleStore, folder: Folder, platform: Platform) -> None:
    base = platform.snapshot
    rows = platform.bundle.tickets.with_rows(50, {7: Ticket(Status.REVOKED, 2)})
    platform.next_bundle(tickets=rows)

    assert store.accept_bundle(make_delta(base, platform.snapshot)) == Accepted(4, changed=True)
    assert reopened(folder).bundle == platform.bundle


def test_delta_on_another_bundle_is_refused(store: BundleStore, platform: Platform) -> None:
    platform.next_bundle()
    base = platform.snapshot
    platform.next_bundle()

    assert store.accept_bundle(make_delta(base, platform.snapshot)) == Refused("other_base")


def test_altered_delta_leaves_the_old_one_in_force(store: BundleStore, platform: Platform) -> None:
    base = platform.snapshot
    platform.next_bundle(tickets=platform.bundle.tickets.with_rows(50, {7: Ticket(Status.REVOKED, 2)}))
    delta = make_delta(base, platform.snapshot)

    for at in range(len(delta)):
        altered = bytearray(delta)
        altered[at] ^= 1
        assert isinstance(store.accept_bundle(bytes(altered)), Refused), at
    assert version(store) == 3


def test_older_key_list_is_refused(store: BundleStore, platform: Platform) -> None:
    platform.key_list = replace(platform.key_list, version=2)

    assert store.accept_key_list(platform.signed_key_list, platform.now) == Refused("older_version")


def test_expired_key_list_is_not_accepted_but_one_in_force_stays(
    store: BundleStore, folder: Folder, platform: Platform
) -> None:
    late = platform.key_list.expires
    platform.next_key_list()

    assert store.accept_key_list(platform.signed_key_list, late) == Refused("expired")
    assert version(reopened(folder)) == 3


def test_key_list_needs_the_roots_that_are_in_force(store: BundleStore, platform: Platform) -> None:
    platform.next_key_list(root_keys=(public("new root"),))
    by_the_new_alone = sign_key_list(platform.key_list, [key("new root")])
    by_both = sign_key_list(platform.key_list, [key("new root"), key("root")])

    assert store.accept_key_list(by_the_new_alone, platform.now) == Refused("not_enough_root_signatures")
    assert store.accept_key_list(by_both, platform.now) == Accepted(4, changed=True)


def test_roots_that_were_replaced_count_no_more(store: BundleStore, folder: Folder, platform: Platform) -> None:
    platform.next_key_list(root_keys=(public("new root"),))
    handover = sign_key_list(platform.key_list, [key("new root"), key("root")])
    assert store.accept_key_list(handover, platform.now) == Accepted(4, changed=True)
    platform.next_key_list()
    again = reopened(folder)

    assert again.accept_key_list(sign_key_list(platform.key_list, [key("root")]), platform.now) == Refused(
        "not_enough_root_signatures"
    )
    by_the_new = sign_key_list(platform.key_list, [key("new root")])
    assert again.accept_key_list(by_the_new, platform.now) == Accepted(5, changed=True)
    assert encoded(reopened(folder)) == encode_key_list(platform.key_list)


def test_bundle_of_a_compromised_key_is_void_at_once(store: BundleStore, folder: Folder, platform: Platform) -> None:
    entries = tuple(
        replace(one, revoked_at=platform.now, reason=Reason.COMPROMISED) if one.role is Role.BUNDLE else one
        for one in platform.key_list.entries
    )
    platform.next_key_list(entries=entries)

    assert store.accept_key_list(platform.signed_key_list, platform.now) == Accepted(4, changed=True)
    assert (store.bundle, store.problem) == (None, "key_not_valid_then")
    assert reopened(folder).bundle is None


def test_running_gate_takes_up_what_a_sync_brought(store: BundleStore, folder: Folder, platform: Platform) -> None:
    running = reopened(folder)
    platform.next_bundle()
    assert store.accept_bundle(platform.snapshot) == Accepted(4, changed=True)

    running.reload()

    assert version(running) == 4


def test_crash_before_the_rename_leaves_the_old_one(
    store: BundleStore, folder: Folder, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.next_bundle()

    def crash(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr(Path, "rename", crash)
        with pytest.raises(KeyboardInterrupt):
            store.accept_bundle(platform.snapshot)

    assert version(reopened(folder)) == 3


def test_crash_after_the_rename_leaves_the_new_one(
    store: BundleStore, folder: Folder, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.next_bundle()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr("verifier.bundle_store.save_marks", crash)
        with pytest.raises(KeyboardInterrupt):
            store.accept_bundle(platform.snapshot)

    assert version(reopened(folder)) == 4


def test_damaged_marks_are_refused_with_a_sentence(store: BundleStore, folder: Folder) -> None:
    assert json.loads(folder.marks.read_bytes())["bundle_version"] == version(store) == 3
    folder.marks.write_bytes(b"{")

    with pytest.raises(GateError) as caught:
        reopened(folder)

    assert caught.value.code == "marks_damaged"
