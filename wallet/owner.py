"""The owner's side of a wallet: one chain key for each event, and what it signs (SPEC 4)."""

from eth_account import Account
from eth_account.hdaccount.deterministic import HDPath
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from credential.binding import Binding, binding_typed_data
from credential.finding import finding_typed_data
from credential.moving import move_typed_data
from wallet.keys import chain_path, path_text


def owner_account(seed: bytes, event_tag: bytes) -> LocalAccount:
    """The account that owns this wallet's tickets of an event, and nothing else."""
    account: LocalAccount = Account.from_key(HDPath(path_text(chain_path(event_tag))).derive(seed))
    return account


def sign_binding(account: LocalAccount, platform_id: bytes, binding: Binding) -> bytes:
    """65 bytes, r | s | v: the owner binds the device key (EIP-712)."""
    message = encode_typed_data(full_message=binding_typed_data(platform_id, binding))
    return bytes(account.sign_message(message).signature)


def sign_finding(account: LocalAccount, platform_id: bytes, event_tag: bytes, expiry: int) -> bytes:
    """65 bytes: the owner wishes to find the orders of an event again (SPEC 4.9)."""
    typed = finding_typed_data(platform_id, event_tag, address_of(account), expiry)
    return bytes(account.sign_message(encode_typed_data(full_message=typed)).signature)


def sign_move(
    account: LocalAccount, chain_id: int, contract: bytes, token_id: int, epoch: int, to: bytes, deadline: int
) -> bytes:
    """65 bytes: the owner gives a ticket to `to` (SPEC 8.5)."""
    typed = move_typed_data(chain_id, contract, token_id, epoch, to, deadline)
    return bytes(account.sign_message(encode_typed_data(full_message=typed)).signature)


def address_of(account: LocalAccount) -> bytes:
    """The account's 20 bytes."""
    return bytes.fromhex(account.address[2:])
