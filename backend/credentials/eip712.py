"""What owners sign by EIP-712: bindings (SPEC 4.1), wishes to find orders (4.9), moves and claims (8.5)."""

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from credential.binding import Binding, binding_typed_data
from credential.finding import finding_typed_data
from credential.moving import claim_typed_data, move_typed_data

SIGNATURE_BYTES = 65  # r 32, s 32, v 1
RECOVERY_VALUES = (27, 28)
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1 (SEC 2)


def sign_binding(platform_id: bytes, binding: Binding, account: LocalAccount) -> bytes:
    """65 bytes `r ‖ s ‖ v` by the owner's account; the same message gives the same bytes (RFC 6979)."""
    return bytes(account.sign_message(_signable(platform_id, binding)).signature)


def recover_owner(platform_id: bytes, binding: Binding, signature: bytes) -> bytes | None:
    """The 20-byte address that signed a binding; None unless the signature has the one form an owner's wallet makes."""
    return _recover(_signable(platform_id, binding), signature)


def recover_finder(platform_id: bytes, event_tag: bytes, owner: bytes, expiry: int, signature: bytes) -> bytes | None:
    """The 20-byte address that signed a wish to find an owner's orders (SPEC 4.9); None as above."""
    message = finding_typed_data(platform_id, event_tag, owner, expiry)
    return _recover(encode_typed_data(full_message=message), signature)


def recover_mover(
    chain_id: int, contract: bytes, token_id: int, epoch: int, to: bytes, deadline: int, signature: bytes
) -> bytes | None:
    """The 20-byte address that signed a move (SPEC 8.5); None as above."""
    message = move_typed_data(chain_id, contract, token_id, epoch, to, deadline)
    return _recover(encode_typed_data(full_message=message), signature)


def sign_claim(
    chain_id: int, contract: bytes, token_id: int, epoch: int, to: bytes, deadline: int, account: LocalAccount
) -> bytes:
    """65 bytes `r ‖ s ‖ v` by custody's account over a claim (SPEC 8.5)."""
    message = claim_typed_data(chain_id, contract, token_id, epoch, to, deadline)
    return bytes(account.sign_message(encode_typed_data(full_message=message)).signature)


def recover_claimer(
    chain_id: int, contract: bytes, token_id: int, epoch: int, to: bytes, deadline: int, signature: bytes
) -> bytes | None:
    """The 20-byte address that signed a claim (SPEC 8.5); None as above."""
    message = claim_typed_data(chain_id, contract, token_id, epoch, to, deadline)
    return _recover(encode_typed_data(full_message=message), signature)


def _recover(message: SignableMessage, signature: bytes) -> bytes | None:
    """SPEC 4.3, step 6.

    s must be in the lower half (EIP-2): the upper half gives a second signature for the same message, and evidence that
    has two forms is none.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in RECOVERY_VALUES:
        return None
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    if not (0 < r < _ORDER and 0 < s <= _ORDER // 2):
        return None
    try:
        address = Account.recover_message(message, signature=signature)
    except (BadSignature, ValidationError):
        return None
    return bytes.fromhex(address.removeprefix("0x"))


def _signable(platform_id: bytes, binding: Binding) -> SignableMessage:
    return encode_typed_data(full_message=binding_typed_data(platform_id, binding))
