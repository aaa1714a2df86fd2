"""Refusals of `KeyRegistry` (SPEC 8.10)."""

from contracts.errors.base import ContractError
from contracts.errors.mark import _


class KeyAlreadyRevokedError(ContractError):
    template = _("Key {keyId} was revoked before ({reason}). Nothing is left to do.")


class KeyIdTakenError(ContractError):
    template = _("A key with the id {keyId} was added before ({publicKey}). Make another key.")


class KeyInvalidError(ContractError):
    template = _("The key's {field} can't be right. Mend it and try again.")


class ReasonInvalidError(ContractError):
    template = _("A key is revoked because it was rotated (1) or compromised (2). Name one of them.")


class RootMissingError(ContractError):
    template = _("A bundle's root is missing. Anchor SHA-256 of the bundle.")


class UnknownKeyError(ContractError):
    template = _("There is no key {keyId}. Check the id.")


class VersionNotRisingError(ContractError):
    template = _(
        "Version {version} of this event's bundle is anchored, and {given} is not above it. Anchor a newer one."
    )
