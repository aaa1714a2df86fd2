// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/interfaces/IERC721Metadata.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {IERC5192} from "./IERC5192.sol";
import {IERC7572} from "./IERC7572.sol";
import {IRoles} from "./IRoles.sol";

/// @notice How tickets of a class may move (SPEC 8.6 has the table of policy and path).
enum Policy {
    Open, // anyone may move what they hold, at any price
    MarketOnly, // only with the platform's consent, at or below the cap
    Frozen, // not now; may become MarketOnly again
    Soulbound // never
}

/// @notice The ways to a new owner (SPEC 8.6).
enum Path {
    Transfer, // ERC-721's own functions
    Gift, // the holder's signature
    Ask, // the holder's ask, filled in the market
    Fiat, // the holder's ask, paid outside the chain
    Claim // out of custody
}

/// @notice What a ticket is worth at the gate (two bits each, SPEC 8.3).
enum Status {
    Valid,
    Redeemed,
    Revoked,
    Suspended
}

/// @notice A class of tickets when it is made. Money is in minor units of `currency`.
struct ClassConfig {
    string label; // 1 to 31 bytes
    uint32 capacity; // most tickets outstanding: minted minus revoked
    uint40 faceValue; // minor units
    uint16 capBps; // highest resale price as a share of the face value, in 1/10,000
    uint16 royaltyBps; // the organiser's share of a resale, in 1/10,000
    uint40 opens; // moves from here on, seconds since 1970
    uint40 closes; // the freeze: from here on only the relayer, within the grace
    Policy policy;
    uint8 maxMoves; // how often a ticket may change hands; 0: no limit
    address paymentToken; // ERC-20 in which it is paid on chain; zero: the native coin
    uint72 unitsPerMinor; // of the payment token for one minor unit; 0: not sold on chain
    bytes3 currency; // ISO 4217
}

/// @notice A class as it stands.
struct ClassInfo {
    string label;
    uint32 capacity;
    uint32 issued; // minted minus revoked
    uint40 faceValue;
    uint16 capBps;
    uint16 royaltyBps;
    uint40 opens;
    uint40 closes;
    Policy policy;
    uint8 maxMoves;
    bool halted; // moves stopped, or the event cancelled
    address paymentToken;
    uint72 unitsPerMinor;
    bytes3 currency;
}

/// @notice Working roles of an account at the start.
struct RoleGrant {
    address account;
    uint8 roles;
}

/// @notice An event when it is made.
struct EventConfig {
    bytes32 eventHash; // SHA-256(platform id, event id); its first 8 bytes are the event tag (SPEC 1)
    address admin;
    address custody; // holds what buyers without a wallet bought; fixed for good
    address payee; // of royalties and primary sales
    uint32 graceSeconds; // after a class's freeze, for moves queued before it
    string name;
    string symbol;
    string description;
    RoleGrant[] roles;
    ClassConfig[] classes;
}

/// @notice An event as it stands.
struct EventInfo {
    bytes32 eventHash;
    address custody;
    address payee;
    string description;
    uint32 graceSeconds;
    uint8 classCount; // classes are numbered from 0
    uint8 stops; // bit field, SPEC 8.4
    bool cancelled;
    uint32 batchCount; // batches minted
    uint32 highestBatch; // the highest number among them
}

/// @title The tickets of one event (SPEC 8)
/// @notice ERC-721 whose owners are kept as contract code, batch by batch; a token takes storage only once it moves.
interface IEventTickets is IRoles, IERC721Metadata, IERC721Errors, IERC2981, IERC4906, IERC5192, IERC7572 {
    // ---------------------------------------------------------------- events

    /// @notice Batch `number` was minted; `ownersHash` is the hash of the code at `pointer`.
    event BatchMinted(
        uint256 indexed number, uint256 indexed class, uint256 count, address pointer, bytes32 ownersHash
    );
    /// @notice The very same batch had been minted before; nothing changed.
    event BatchAlreadyMinted(uint256 indexed number, bytes32 ownersHash);
    /// @notice Class `class` was made.
    event ClassAdded(uint256 indexed class, ClassConfig config);
    /// @notice The capacity of `class` changed.
    event CapacityChanged(uint256 indexed class, uint256 capacity);
    /// @notice The times of `class` changed (seconds since 1970).
    event TimesChanged(uint256 indexed class, uint256 opens, uint256 closes);
    /// @notice The policy of `class` changed.
    event PolicyChanged(uint256 indexed class, Policy policy);
    /// @notice Tickets became redeemed: ticket i of a word is bit 2*i of its mask (SPEC 8.3). A mask of 0 changed nothing.
    event TicketsRedeemed(uint256[] words, uint256[] masks);
    /// @notice Tickets that could not be redeemed, since they were redeemed, suspended or revoked before.
    event RedeemOverlap(uint256 word, uint256 mask);
    /// @notice A ticket became void for good.
    event TicketRevoked(uint256 indexed tokenId);
    /// @notice A ticket is void until it is reinstated.
    event TicketSuspended(uint256 indexed tokenId);
    /// @notice A suspended ticket is valid again.
    event TicketReinstated(uint256 indexed tokenId);
    /// @notice A ticket left custody.
    event TicketClaimed(uint256 indexed tokenId, address indexed to);
    /// @notice What is stopped now (bit field, SPEC 8.4).
    event StopsChanged(uint8 stops);
    /// @notice The event won't happen; nothing can be minted, moved or redeemed any more.
    event EventCancelled();
    /// @notice Royalties and primary sales go to `payee`, and `description` says what the event is, from now on.
    event DetailsChanged(address indexed payee, string description);

    // ---------------------------------------------------------------- errors

    /// @notice This clone has been set up before.
    error AlreadyInitialized();
    /// @notice The configuration can't work; `field` names what is wrong with it.
    error ConfigInvalid(bytes32 field);
    /// @notice There is no such class.
    error UnknownClass(uint256 class);
    /// @notice Batch numbers run from 1 to `max`.
    error BatchNumberInvalid(uint256 number, uint256 max);
    /// @notice Batch numbers may run ahead of those minted by a limited distance; `limit` is the highest now.
    error BatchTooFarAhead(uint256 number, uint256 limit);
    /// @notice Batch `number` was minted with other owners or another class.
    error BatchTaken(uint256 number, bytes32 ownersHash, bytes32 givenHash);
    /// @notice A batch holds 1 to `max` owners of 20 bytes each; `length` bytes were given.
    error OwnersLengthInvalid(uint256 length, uint256 max);
    /// @notice The owner at `index` is lower than the one before it.
    error OwnersNotSorted(uint256 index);
    /// @notice The code with the owners could not be written.
    error OwnersNotWritten();
    /// @notice `count` more tickets would exceed the capacity of `class`.
    error CapacityExceeded(uint256 class, uint256 capacity, uint256 issued, uint256 count);
    /// @notice The capacity can't fall below what is outstanding.
    error CapacityBelowIssued(uint256 class, uint256 capacity, uint256 issued);
    /// @notice The policy of `class` can't change this way (SPEC 8.6).
    error PolicyChangeRefused(uint256 class, Policy fromPolicy, Policy toPolicy);
    /// @notice What the call needs is stopped (bit field, SPEC 8.4).
    error Stopped(uint8 stops);
    /// @notice The event was cancelled.
    error CancelledEvent();
    /// @notice The ticket is redeemed, suspended or revoked.
    error TicketNotValid(uint256 tokenId, Status status);
    /// @notice The ticket's status allows no such change.
    error StatusChangeRefused(uint256 tokenId, Status fromStatus, Status toStatus);
    /// @notice The policy of the ticket's class does not allow this path (SPEC 8.6).
    error PathNotAllowed(uint256 tokenId, Policy policy, Path path);
    /// @notice Moves of this class start at `opens` (seconds since 1970).
    error NotOpenYet(uint256 tokenId, uint256 opens);
    /// @notice Moves of this class ended at `closes` (seconds since 1970), or the grace after it is not for the caller.
    error MovesClosed(uint256 tokenId, uint256 closes);
    /// @notice The ticket has changed hands as often as it may.
    error MoveLimitReached(uint256 tokenId, uint256 limit);
    /// @notice The price is above the cap of the class (minor units).
    error PriceAboveCap(uint256 tokenId, uint256 price, uint256 cap);
    /// @notice Only a claim takes a ticket out of custody, and only a mint puts one in.
    error CustodyOnly(uint256 tokenId);
    /// @notice The ticket is not in custody.
    error NotInCustody(uint256 tokenId, address owner);
    /// @notice The signature's deadline has passed (seconds since 1970).
    error DeadlinePassed(uint256 deadline);
    /// @notice The signature is not one of `signer` over this message.
    error SignatureInvalid(address signer);
    /// @notice The platform's consent is missing: neither the sender nor the co-signature is the relayer's.
    error ConsentMissing(uint256 tokenId);
    /// @notice The ticket moved since: it is at `epoch`, the message at `given`.
    error EpochMismatch(uint256 tokenId, uint256 epoch, uint256 given);
    /// @notice `owner` holds as many moved tickets as can be listed.
    error HoldingFull(address owner, uint256 limit);
    /// @notice Only the market may call this.
    error NotMarket(address account);
    /// @notice Two lists must have the same length.
    error LengthMismatch(uint256 words, uint256 masks);
    /// @notice The word at `index` is not above the one before it.
    error WordsNotAscending(uint256 index);
    /// @notice Masks have bits at even places only, and at least one.
    error MaskInvalid(uint256 word, uint256 mask);
    /// @notice The mask names tickets that were never minted.
    error NoSuchTickets(uint256 word, uint256 mask);
    /// @notice A list is empty where there must be at least one entry.
    error EmptyList();

    // ------------------------------------------------------------- set-up

    /// @notice Sets a fresh clone up, once. The factory does it in the transaction that makes the clone.
    /// @param config The event.
    function initialize(EventConfig calldata config) external;

    /// @notice The event as it stands.
    function eventInfo() external view returns (EventInfo memory);

    /// @notice The address that holds what buyers without a wallet bought. Fixed in the clone's code.
    function custody() external view returns (address);

    /// @notice The market whose fills and settlements these tickets accept. Fixed in the implementation.
    function market() external view returns (address);

    /// @notice The admin, under the name that ERC-173 gives it, for marketplaces. It moves by {IRoles-proposeAdmin}.
    function owner() external view returns (address);

    // ------------------------------------------------------------- classes

    /// @notice Class `class` as it stands.
    function classInfo(uint256 class) external view returns (ClassInfo memory);

    /// @notice In what a class is paid on chain, and who gets it. Fixed for good but for the payee.
    /// @return token An ERC-20; zero: the native coin.
    /// @return unitsPerMinor Of the token for one minor unit; 0: not sold on chain.
    /// @return receiver Of primary sales and royalties.
    /// @return active Whether the class can still be sold: not cancelled, minting not stopped.
    function paymentOf(uint256 class)
        external
        view
        returns (address token, uint256 unitsPerMinor, address receiver, bool active);

    /// @notice Makes a further class. Admin only.
    function addClass(ClassConfig calldata config) external;

    /// @notice Changes a class's capacity; never below what is outstanding. Admin only.
    function setCapacity(uint256 class, uint32 capacity) external;

    /// @notice Changes a class's times, e.g. when the event is postponed (seconds since 1970). Admin only.
    function setTimes(uint256 class, uint40 opens, uint40 closes) external;

    /// @notice Makes a class's policy stricter, or thaws Frozen to MarketOnly. Admin only.
    function setPolicy(uint256 class, Policy policy) external;

    /// @notice Changes where royalties and primary sales go, and what the event is, for people. Admin only.
    function setDetails(address payee, string calldata description) external;

    // ------------------------------------------------------------- minting

    /// @notice Mints batch `number`, once. Any order; an identical repeat succeeds and emits {BatchAlreadyMinted}.
    /// Ticket i of the batch has the id `number << 16 | i`. Issuer only.
    /// @param number 1 to 2^24 - 1, at most 1,024 ahead of how many batches there are.
    /// @param class The class of every ticket in the batch.
    /// @param owners 20 bytes each, sorted, never falling, none zero; 1 to 1,228 of them.
    function mint(uint32 number, uint8 class, bytes calldata owners) external;

    /// @notice Batch `number`; zeros if it was not minted.
    /// @return pointer The contract whose code is a zero byte and then the owners.
    /// @return count How many tickets.
    /// @return class Their class.
    /// @return mintedAt When, in seconds since 1970.
    /// @return ownersHash The code hash of `pointer`: keccak256(0x00, owners).
    function batchInfo(uint256 number)
        external
        view
        returns (address pointer, uint256 count, uint256 class, uint256 mintedAt, bytes32 ownersHash);

    /// @notice The owners batch `number` was minted to, 20 bytes each.
    function batchOwners(uint256 number) external view returns (bytes memory);

    /// @notice Every ticket of `holder`, whether it was minted or moved there. For calls, not for contracts: it looks into each batch.
    function tokensOfOwner(address holder) external view returns (uint256[] memory);

    /// @notice As {tokensOfOwner}, for the tickets minted to `holder` in batches `first` to `last`, and, if `moved`, those moved there.
    function tokensOfOwnerIn(address holder, uint256 first, uint256 last, bool moved)
        external
        view
        returns (uint256[] memory);

    // ------------------------------------------------------------- a ticket

    /// @notice How often the ticket moved. It is the nonce of every signature about the ticket.
    function epochOf(uint256 tokenId) external view returns (uint256);

    /// @notice The ticket's status.
    function statusOf(uint256 tokenId) external view returns (Status);

    /// @notice The ticket's class.
    function classOf(uint256 tokenId) external view returns (uint256);

    /// @notice What was paid for it at its last sale through the market, in minor units; 0 if it had none.
    function lastPaidOf(uint256 tokenId) external view returns (uint256);

    /// @notice Two bits each for tickets `word << 7` to `word << 7 | 127` (SPEC 8.3).
    function statusWord(uint256 word) external view returns (uint256);

    // ------------------------------------------------------------- moving

    /// @notice Gives the ticket to `to`, by its holder's EIP-712 signature over Move(tokenId, epoch, to, deadline).
    /// Where the policy asks for the platform's consent: the sender is a relayer, or `consent` is a relayer's signature over the same message.
    /// @param holderSignature 65 bytes r, s, v with low s; or what the holder's ERC-1271 contract accepts.
    /// @param consent 65 bytes, or empty.
    function moveWithSig(
        uint256 tokenId,
        address to,
        uint256 deadline,
        bytes calldata holderSignature,
        bytes calldata consent
    ) external;

    /// @notice Takes the ticket out of custody, by custody's EIP-712 signature over Claim(tokenId, epoch, to, deadline).
    /// Exempt from policy and freeze. Relayer only.
    function claim(uint256 tokenId, address to, uint256 deadline, bytes calldata custodySignature) external;

    /// @notice Moves a sold ticket. Only the market calls it, after it has checked the seller's ask.
    /// @param epoch The epoch that the ask was made for.
    /// @param price Minor units; checked against the cap and kept.
    /// @param operator Who called the market.
    /// @param fiat Whether it was paid outside the chain: `operator` must be a settler.
    /// @param digest What the seller signed; the platform's consent is a relayer's signature over it.
    function settle(
        uint256 tokenId,
        uint256 epoch,
        address to,
        uint256 price,
        address operator,
        bool fiat,
        bytes32 digest,
        bytes calldata consent
    ) external;

    // ------------------------------------------------------------- status

    /// @notice Marks tickets as used. Ticket i of word w is bit 2*i of its mask. Those that are not valid are left as they
    /// are and reported by {RedeemOverlap}. Gate only.
    /// @param words Token ids shifted right by 7; each above the one before it.
    /// @param masks Which tickets of each word.
    function redeemWords(uint256[] calldata words, uint256[] calldata masks) external;

    /// @notice Makes tickets void for good and their places free. Not once redeemed. Relayer only.
    function revoke(uint256[] calldata tokenIds) external;

    /// @notice Makes valid tickets void until reinstated. Relayer only.
    function suspend(uint256[] calldata tokenIds) external;

    /// @notice Makes suspended tickets valid again. Relayer only.
    function reinstate(uint256[] calldata tokenIds) external;

    // ------------------------------------------------------------- stopping

    /// @notice Stops minting (1), moving (2), redeeming (4) or several. Pauser only.
    function stop(uint8 what) external;

    /// @notice Starts what was stopped. Admin only.
    function resume(uint8 what) external;

    /// @notice Ends the event for good: nothing is minted, moved or redeemed any more. Admin only.
    function cancelEvent() external;
}
