"""Refusals that come from the libraries the contracts are built on, and what is none of ours."""

from contracts.errors.base import ContractError
from contracts.errors.mark import _


class CloneArgumentsTooLongError(ContractError):
    template = _("The clone's arguments are too long. Report this: it should not happen.")


class Create2EmptyBytecodeError(ContractError):
    template = _("The contract to be made is empty. Report this: it should not happen.")


class ForeignMessageError(ContractError):
    template = _("A contract refused the call: {message}.")


class FailedDeploymentError(ContractError):
    template = _("The contract could not be made. Send it again with more gas.")


class InsufficientBalanceError(ContractError):
    template = _("{needed} wei are needed and {balance} are there. Add funds.")


class InvalidShortStringError(ContractError):
    template = _("A short text is malformed. Report this: it should not happen.")


class NoReasonError(ContractError):
    template = _("The call was refused without a reason. Check the address, the amount of gas and the arguments.")


class PanicError(ContractError):
    template = _("A contract stopped on a fault of its own (panic {panic}). Report this: it should not happen.")


class StringTooLongError(ContractError):
    template = _("The text {str} is too long. Shorten it.")


class UnknownSelectorError(ContractError):
    template = _("A contract refused the call with an error that is none of ours ({data}).")
