"""Refusals of `EventTickets`, `EventFactory` and the roles (SPEC 8.1 to 8.6)."""

from contracts.errors.base import ContractError
from contracts.errors.mark import _


class AdminDelayRunningError(ContractError):
    template = _("The hand-over of the admin's role can be accepted from {validFrom} on. Try again then.")


class AlreadyInitializedError(ContractError):
    template = _("This contract has been set up before. Use it as it is, or create another event.")


class BatchNumberInvalidError(ContractError):
    template = _("Batch number {number} does not exist: batches are numbered from 1 to {max}.")


class BatchTakenError(ContractError):
    template = _(
        "Batch {number} was minted with other owners or another class (owners hash {ownersHash}, given "
        "{givenHash}). Mint under a free number."
    )


class BatchTooFarAheadError(ContractError):
    template = _(
        "Batch number {number} is too far ahead; the highest allowed now is {limit}. Mint the batches before it first."
    )


class CancelledEventError(ContractError):
    template = _("The event was cancelled. Nothing can be minted, moved or redeemed any more.")


class CapacityBelowIssuedError(ContractError):
    template = _(
        "Class {class} has {issued} tickets outstanding, so its capacity can't be {capacity}. Choose {issued} or more."
    )


class CapacityExceededError(ContractError):
    template = _(
        "Class {class} holds {capacity} tickets; {issued} are outstanding, so {count} more do not fit. "
        "Mint fewer, or raise the capacity."
    )


class ConfigInvalidError(ContractError):
    template = _("The setting {field} can't work. Mend it and try again.")


class ConsentMissingError(ContractError):
    template = _("Ticket {tokenId} moves only with the platform's consent. Ask the platform for its signature.")


class CustodyOnlyError(ContractError):
    template = _(
        "Ticket {tokenId} would go into or out of the platform's custody. Only a claim takes a ticket "
        "out, and only a mint puts one in."
    )


class DeadlinePassedError(ContractError):
    template = _("The signature was good until {deadline}. Sign again with a later deadline.")


class EmptyListError(ContractError):
    template = _("The list is empty. Name at least one entry.")


class EpochMismatchError(ContractError):
    template = _("Ticket {tokenId} has moved since: it is at epoch {epoch}, the message at {given}. Sign again.")


class ERC721IncorrectOwnerError(ContractError):
    template = _("Ticket {tokenId} belongs to {owner}, not to {sender}. Look its owner up and try again.")


class ERC721InsufficientApprovalError(ContractError):
    template = _("{operator} may not move ticket {tokenId}. Ask its holder for approval.")


class ERC721InvalidApproverError(ContractError):
    template = _("{approver} may not approve anybody for this ticket. Only its holder or an operator may.")


class ERC721InvalidOperatorError(ContractError):
    template = _("{operator} can't be an operator. Name another address.")


class ERC721InvalidOwnerError(ContractError):
    template = _("{owner} can't own tickets. Name another address.")


class ERC721InvalidReceiverError(ContractError):
    template = _("{receiver} can't receive tickets. Name another address.")


class ERC721InvalidSenderError(ContractError):
    template = _("{sender} can't send tickets. Name another address.")


class ERC721NonexistentTokenError(ContractError):
    template = _("There is no ticket {tokenId}. Check the number.")


class EventExistsError(ContractError):
    template = _("This event was created before; its contract is {tickets}. Use that one.")


class HoldingFullError(ContractError):
    template = _("{owner} holds as many tickets as one address can ({limit}). Move the ticket to another address.")


class LengthMismatchError(ContractError):
    template = _("There are {words} words but {masks} masks. Give one mask a word.")


class MaskInvalidError(ContractError):
    template = _(
        "The mask {mask} of word {word} is not one bit at an even place for each ticket. Build it again (SPEC 8.3)."
    )


class MissingRoleError(ContractError):
    template = _("{account} lacks the role: {role}. Use the key that has it, or have the admin grant it.")


class MoveLimitReachedError(ContractError):
    template = _("Ticket {tokenId} has changed hands as often as it may ({limit}). It stays with its holder.")


class MovesClosedError(ContractError):
    template = _("Ticket {tokenId} could be moved until {closes}. It stays with its holder.")


class NoImplementationError(ContractError):
    template = _("There is no contract at {implementation}. Deploy EventTickets first and name its address.")


class NoSuchTicketsError(ContractError):
    template = _("The mask {mask} of word {word} names tickets that were never minted. Check the batch.")


class NotAdminError(ContractError):
    template = _("{account} is not the admin. Use the admin's key.")


class NotInCustodyError(ContractError):
    template = _("Ticket {tokenId} is not in custody; it belongs to {owner}. There is nothing to claim.")


class NotMarketError(ContractError):
    template = _("{account} is not the market of these tickets. Sell through the market.")


class NotOpenYetError(ContractError):
    template = _("Ticket {tokenId} can be moved from {opens} on. Try again then.")


class NotPendingAdminError(ContractError):
    template = _("The admin's role was not offered to {account}. Ask the admin to propose it.")


class OwnersLengthInvalidError(ContractError):
    template = _("{length} bytes are no list of owners: a batch has 1 to {max} owners of 20 bytes. Split or mend it.")


class OwnersNotSortedError(ContractError):
    template = _("The owner at place {index} is lower than the one before it. Sort the batch's owners.")


class OwnersNotWrittenError(ContractError):
    template = _("The batch's owners could not be written. Send it again with more gas.")


class PathNotAllowedError(ContractError):
    template = _("Ticket {tokenId} can't be moved this way ({path}): the policy of its class is {policy}.")


class PolicyChangeRefusedError(ContractError):
    template = _(
        "The policy of class {class} can't change from {fromPolicy} to {toPolicy}. It may only become "
        "stricter, or thaw."
    )


class PriceAboveCapError(ContractError):
    template = _("Ticket {tokenId} may cost at most {cap} minor units; {price} were asked. Lower the price.")


class SignatureInvalidError(ContractError):
    template = _("This is no signature of {signer} for this message. Sign again with the right key, chain and ticket.")


class StatusChangeRefusedError(ContractError):
    template = _("Ticket {tokenId} is {fromStatus} and can't become {toStatus}.")


class StoppedError(ContractError):
    template = _("Stopped for now: {stops}. The admin can resume it.")


class TicketNotValidError(ContractError):
    template = _("Ticket {tokenId} is {status}, so it can't be moved.")


class UnknownClassError(ContractError):
    template = _("There is no class {class}. Check the number.")


class UnknownRolesError(ContractError):
    template = _("The roles {roles} do not exist in this contract. Name at least one that does (SPEC 8.4).")


class WordsNotAscendingError(ContractError):
    template = _("The word at place {index} is not above the one before it. Sort the words and join those that repeat.")


class ZeroAddressError(ContractError):
    template = _("An address is zero that must not be. Name one.")
