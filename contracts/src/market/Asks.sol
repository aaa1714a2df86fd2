// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IEventTickets} from "../interfaces/IEventTickets.sol";
import {Ask, ITicketMarket} from "../interfaces/ITicketMarket.sol";
import {Signatures} from "../lib/Signatures.sol";
import {Credits} from "./Credits.sol";

/// @dev Resale by signed asks. The tickets contract has the last word on policy, cap and consent.
abstract contract Asks is Credits, EIP712 {
    bytes32 private constant ASK = keccak256(
        "Ask(address tickets,uint256 tokenId,uint256 epoch,uint256 price,address buyer,uint256 deadline,uint256 counter)"
    );

    mapping(address seller => uint256) private _counter;
    mapping(address seller => mapping(bytes32 digest => bool)) private _cancelled;

    constructor() EIP712("Truestub Market", "1") {}

    /// @inheritdoc ITicketMarket
    function fill(Ask calldata ask, address to, bytes calldata sellerSignature, bytes calldata consent)
        external
        payable
        nonReentrant
    {
        (address seller, bytes32 digest) = _check(ask, to, sellerSignature);
        (address token, uint256 units, uint256 royalty, address receiver) =
            quote(ask.tickets, ask.tokenId, ask.price);
        IEventTickets(ask.tickets).settle(
            ask.tokenId, ask.epoch, to, ask.price, msg.sender, false, digest, consent
        );
        _credit(token, receiver, royalty);
        _credit(token, seller, units - royalty);
        emit AskFilled(ask.tickets, ask.tokenId, seller, to, ask.price, token, units, royalty);
        _collect(token, units, msg.value);
    }

    /// @inheritdoc ITicketMarket
    function settleFiat(Ask calldata ask, address to, bytes calldata sellerSignature, bytes32 paymentRef)
        external
        nonReentrant
    {
        (address seller, bytes32 digest) = _check(ask, to, sellerSignature);
        IEventTickets(ask.tickets).settle(ask.tokenId, ask.epoch, to, ask.price, msg.sender, true, digest, "");
        emit SaleSettled(ask.tickets, ask.tokenId, seller, to, ask.price, paymentRef);
    }

    /// @inheritdoc ITicketMarket
    function cancelAsk(Ask calldata ask) external {
        bytes32 digest = askDigest(ask);
        if (_cancelled[msg.sender][digest]) revert AskIsCancelled(digest);
        _cancelled[msg.sender][digest] = true;
        emit AskCancelled(msg.sender, digest);
    }

    /// @inheritdoc ITicketMarket
    function cancelAllAsks() external {
        emit CounterRaised(msg.sender, ++_counter[msg.sender]);
    }

    /// @inheritdoc ITicketMarket
    function counterOf(address seller) external view returns (uint256) {
        return _counter[seller];
    }

    /// @inheritdoc ITicketMarket
    function isCancelled(address seller, bytes32 digest) external view returns (bool) {
        return _cancelled[seller][digest];
    }

    /// @inheritdoc ITicketMarket
    function askDigest(Ask calldata ask) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ASK, ask)));
    }

    /// @inheritdoc ITicketMarket
    function quote(address tickets, uint256 tokenId, uint256 price)
        public
        view
        returns (address token, uint256 units, uint256 royalty, address receiver)
    {
        uint256 class = IEventTickets(tickets).classOf(tokenId);
        (token, units) = _units(tickets, class, price);
        (receiver, royalty) = IEventTickets(tickets).royaltyInfo(tokenId, units);
    }

    /// @dev `price` minor units in the class's token.
    function _units(address tickets, uint256 class, uint256 price)
        internal
        view
        returns (address token, uint256 units)
    {
        uint256 unitsPerMinor;
        (token, unitsPerMinor,,) = IEventTickets(tickets).paymentOf(class);
        if (unitsPerMinor == 0) revert NotSoldOnChain(tickets, class);
        // Whatever is above this is above every cap; the bound keeps the product from overflowing.
        if (price > type(uint40).max) revert AmountInvalid(price);
        units = price * unitsPerMinor;
    }

    function _check(Ask calldata ask, address to, bytes calldata signature)
        private
        view
        returns (address seller, bytes32 digest)
    {
        if (block.timestamp > ask.deadline) revert AskExpired(ask.deadline);
        if (ask.buyer != address(0) && ask.buyer != to) revert NotForBuyer(ask.buyer, to);
        seller = IEventTickets(ask.tickets).ownerOf(ask.tokenId);
        if (ask.counter != _counter[seller]) revert CounterMismatch(seller, _counter[seller], ask.counter);
        digest = askDigest(ask);
        if (_cancelled[seller][digest]) revert AskIsCancelled(digest);
        if (!Signatures.isValid(seller, digest, signature)) revert SellerSignatureInvalid(seller);
    }
}
