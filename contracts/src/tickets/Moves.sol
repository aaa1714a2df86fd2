// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IEventTickets, Path, Policy} from "../interfaces/IEventTickets.sol";
import {Policies} from "../lib/Policies.sol";
import {Signatures} from "../lib/Signatures.sol";
import {ClassWord, TokenWord, TokenWords} from "../lib/Words.sol";
import {Holdings} from "./Holdings.sol";
import {Role} from "./Roles.sol";

/// @dev Every path to a new owner ends in {_move} (SPEC 8.5, 8.6).
abstract contract Moves is Holdings, EIP712 {
    using Policies for Policy;

    bytes32 private constant MOVE = keccak256("Move(uint256 tokenId,uint256 epoch,address to,uint256 deadline)");
    bytes32 private constant CLAIM = keccak256("Claim(uint256 tokenId,uint256 epoch,address to,uint256 deadline)");

    /// @inheritdoc IEventTickets
    address public immutable market;

    constructor(address market_) EIP712("Truestub Tickets", "1") {
        market = market_;
    }

    /// @inheritdoc IEventTickets
    function moveWithSig(
        uint256 tokenId,
        address to,
        uint256 deadline,
        bytes calldata holderSignature,
        bytes calldata consent
    ) external {
        TokenWord token = _existing(tokenId);
        bytes32 digest = _digest(MOVE, tokenId, token.epoch(), to, deadline);
        _requireSignature(token.owner(), digest, deadline, holderSignature);
        ClassWord class = _classOf(token);
        if (class.policy().needsConsent(Path.Gift)) _requireConsent(tokenId, msg.sender, digest, consent);
        _move(tokenId, token, class, to, Path.Gift, 0, msg.sender);
    }

    /// @inheritdoc IEventTickets
    function claim(uint256 tokenId, address to, uint256 deadline, bytes calldata custodySignature)
        external
        onlyRole(Role.RELAYER)
    {
        TokenWord token = _existing(tokenId);
        if (token.owner() != custody()) revert NotInCustody(tokenId, token.owner());
        bytes32 digest = _digest(CLAIM, tokenId, token.epoch(), to, deadline);
        _requireSignature(token.owner(), digest, deadline, custodySignature);
        _move(tokenId, token, _classOf(token), to, Path.Claim, 0, msg.sender);
        emit TicketClaimed(tokenId, to);
    }

    /// @inheritdoc IEventTickets
    function settle(
        uint256 tokenId,
        uint256 epoch,
        address to,
        uint256 price,
        address operator,
        bool fiat,
        bytes32 digest,
        bytes calldata consent
    ) external {
        if (msg.sender != market) revert NotMarket(msg.sender);
        TokenWord token = _existing(tokenId);
        if (token.epoch() != epoch) revert EpochMismatch(tokenId, token.epoch(), epoch);
        ClassWord class = _classOf(token);
        if (price > class.priceCap()) revert PriceAboveCap(tokenId, price, class.priceCap());
        Path path = fiat ? Path.Fiat : Path.Ask;
        if (fiat) _requireRole(operator, Role.SETTLER);
        if (class.policy().needsConsent(path)) _requireConsent(tokenId, operator, digest, consent);
        _move(tokenId, token, class, to, path, price, operator);
    }

    /// @dev The one way to a new owner. The caller has checked that whoever may decide about the ticket has decided.
    function _move(
        uint256 tokenId,
        TokenWord token,
        ClassWord class,
        address to,
        Path path,
        uint256 price,
        address operator
    ) internal {
        if (_standsOut(tokenId, token, class, to, path)) _requireMovable(tokenId, token, class, to, path, operator);
        address from = token.owner();
        _bookOut(from, tokenId, token);
        token = token.moved(to, _bookIn(to, tokenId));
        if (path != Path.Transfer) token = _noted(token, path, price);
        assembly ("memory-safe") {
            sstore(add(_token.slot, tokenId), token) // the ticket exists, so its id is within the array
        }
        emit Transfer(from, to, tokenId);
    }

    /// @dev Whether any rule of {_requireMovable} might be met, found in one branch, since this is what a transfer costs
    /// beyond its storage. Most moves meet none. It may be true without need, and never false against need.
    function _standsOut(uint256 tokenId, TokenWord token, ClassWord class, address to, Path path)
        private
        view
        returns (bool found)
    {
        uint256 marks = class.special();
        uint256 left = token.epochsLeft();
        uint256 opens = class.opens();
        uint256 closes = class.closes();
        uint256 allowed = Policies.TABLE >> class.policyRow();
        assembly ("memory-safe") {
            let from := shl(96, token)
            let receiver := shl(96, to)
            let keeper := shr(241, class)
            marks := or(marks, and(shr(shl(1, and(tokenId, 127)), sload(add(_status.slot, shr(WORD_SHIFT, tokenId)))), 3))
            // Times: from `opens` until before `closes`, in one comparison, since what is before `opens` wraps.
            let open := lt(sub(timestamp(), opens), sub(closes, opens))
            marks := or(marks, iszero(and(and(shr(path, allowed), 1), open)))
            marks := or(marks, or(iszero(left), or(iszero(from), iszero(receiver))))
            found := or(marks, or(eq(shr(241, from), keeper), eq(shr(241, receiver), keeper)))
        }
    }

    /// @dev The rules, in the order of SPEC 8.6.
    function _requireMovable(
        uint256 tokenId,
        TokenWord token,
        ClassWord class,
        address to,
        Path path,
        address operator
    ) private view {
        address from = token.owner();
        if (from == address(0)) revert ERC721NonexistentToken(tokenId);
        if (to == address(0)) revert ERC721InvalidReceiver(address(0));
        if (_statusBits(tokenId) != 0) revert TicketNotValid(tokenId, _statusOf(tokenId));
        if (class.halted()) _requireRunning(STOP_MOVE);
        if (!Policies.allows(class, path)) revert PathNotAllowed(tokenId, class.policy(), path);
        address keeper = custody();
        if (to == keeper || (from == keeper) != (path == Path.Claim)) revert CustodyOnly(tokenId);
        if (path != Path.Claim) {
            _requireOpen(tokenId, class, operator);
            _requireMovesLeft(tokenId, token, class);
        }
    }

    /// @dev What a ticket remembers of the way it came.
    function _noted(TokenWord token, Path path, uint256 price) private pure returns (TokenWord) {
        if (path == Path.Claim) return token.asClaimed();
        return path == Path.Gift ? token : token.withPaid(price);
    }

    /// @dev From `opens` until the freeze; after it, within the grace, only what the relayer submits.
    function _requireOpen(uint256 tokenId, ClassWord class, address operator) private view {
        if (block.timestamp < class.opens()) revert NotOpenYet(tokenId, class.opens());
        uint256 closes = class.closes();
        if (block.timestamp < closes) return;
        bool late = block.timestamp >= closes + _event.graceSeconds;
        if (late || !_hasRole(operator, Role.RELAYER)) revert MovesClosed(tokenId, closes);
    }

    /// @dev A claim is no move of the buyer's, so it does not count. (A ticket is claimed once, so it needs no limit.)
    function _requireMovesLeft(uint256 tokenId, TokenWord token, ClassWord class) private pure {
        unchecked {
            uint256 limit = class.maxMoves();
            if (limit == 0) limit = TokenWords.MAX_EPOCH;
            else if (token.claimed()) ++limit;
            if (token.epoch() >= limit) revert MoveLimitReached(tokenId, limit);
        }
    }

    function _requireSignature(address signer, bytes32 digest, uint256 deadline, bytes calldata signature)
        private
        view
    {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
        if (!Signatures.isValid(signer, digest, signature)) revert SignatureInvalid(signer);
    }

    function _requireConsent(uint256 tokenId, address operator, bytes32 digest, bytes calldata consent) private view {
        if (_hasRole(operator, Role.RELAYER)) return;
        address signer = Signatures.recover(digest, consent);
        if (signer == address(0) || !_hasRole(signer, Role.RELAYER)) revert ConsentMissing(tokenId);
    }

    function _digest(bytes32 kind, uint256 tokenId, uint256 epoch, address to, uint256 deadline)
        private
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(kind, tokenId, epoch, to, deadline)));
    }
}
