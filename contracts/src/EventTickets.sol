// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/interfaces/IERC721Metadata.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {ERC721Utils} from "@openzeppelin/contracts/token/ERC721/utils/ERC721Utils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IEventTickets, Path, Policy} from "./interfaces/IEventTickets.sol";
import {IERC5192} from "./interfaces/IERC5192.sol";
import {IERC7572} from "./interfaces/IERC7572.sol";
import {IMetadataRenderer} from "./interfaces/IMetadataRenderer.sol";
import {ClassWords, TokenWord} from "./lib/Words.sol";
import {Classes} from "./tickets/Classes.sol";
import {Minting} from "./tickets/Minting.sol";
import {Moves} from "./tickets/Moves.sol";
import {Role} from "./tickets/Roles.sol";
import {Statuses} from "./tickets/Statuses.sol";

/// @title The tickets of one event
/// @dev The face that ERC-721 asks for. Each event has a clone of it; the parts are in `tickets/` (SPEC 8.1).
contract EventTickets is Classes, Minting, Statuses, Moves {
    IMetadataRenderer private immutable _renderer;

    mapping(uint256 tokenId => uint256) private _approved; // account 160 | the epoch it holds for 24
    mapping(address holder => mapping(address operator => bool)) private _operators;

    /// @param market_ The market whose settlements the clones accept.
    /// @param renderer_ What draws their metadata.
    constructor(address market_, IMetadataRenderer renderer_) Moves(market_) {
        _renderer = renderer_;
        _event.initialized = true; // only clones are set up
    }

    /// @inheritdoc IERC721
    function approve(address to, uint256 tokenId) external {
        TokenWord token = _existing(tokenId);
        address holder = token.owner();
        if (msg.sender != holder && !_operators[holder][msg.sender]) revert ERC721InvalidApprover(msg.sender);
        _approved[tokenId] = uint160(to) | token.epoch() << 160;
        emit Approval(holder, to, tokenId);
    }

    /// @inheritdoc IERC721
    function setApprovalForAll(address operator, bool approved) external {
        if (operator == address(0)) revert ERC721InvalidOperator(address(0));
        _operators[msg.sender][operator] = approved;
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    /// @inheritdoc IERC721
    function transferFrom(address from, address to, uint256 tokenId) public {
        TokenWord token = _load(tokenId);
        if (!token.ownedByBoth(msg.sender, from)) _requireSender(from, to, tokenId, token);
        _move(tokenId, token, _classOf(token), to, Path.Transfer, 0, msg.sender);
    }

    /// @inheritdoc IERC721
    function safeTransferFrom(address from, address to, uint256 tokenId) external {
        safeTransferFrom(from, to, tokenId, "");
    }

    /// @inheritdoc IERC721
    function safeTransferFrom(address from, address to, uint256 tokenId, bytes memory data) public {
        transferFrom(from, to, tokenId);
        ERC721Utils.checkOnERC721Received(msg.sender, from, to, tokenId, data);
    }

    /// @inheritdoc IERC721
    function getApproved(uint256 tokenId) external view returns (address) {
        return _approvedFor(tokenId, _existing(tokenId));
    }

    /// @inheritdoc IERC721
    function isApprovedForAll(address holder, address operator) external view returns (bool) {
        return _operators[holder][operator];
    }

    /// @inheritdoc IERC721Metadata
    function name() external view returns (string memory) {
        return _name;
    }

    /// @inheritdoc IERC721Metadata
    function symbol() external view returns (string memory) {
        return _symbol;
    }

    /// @inheritdoc IERC721Metadata
    function tokenURI(uint256 tokenId) external view returns (string memory) {
        _existing(tokenId);
        return _renderer.tokenURI(IEventTickets(address(this)), tokenId);
    }

    /// @inheritdoc IERC7572
    function contractURI() external view returns (string memory) {
        return _renderer.contractURI(IEventTickets(address(this)));
    }

    /// @inheritdoc IERC2981
    function royaltyInfo(uint256 tokenId, uint256 salePrice) external view returns (address receiver, uint256 amount) {
        uint256 bps = _classOf(_existing(tokenId)).royaltyBps();
        return (_payee, Math.mulDiv(salePrice, bps, ClassWords.BPS));
    }

    /// @inheritdoc IERC5192
    function locked(uint256 tokenId) external view returns (bool) {
        return _classOf(_existing(tokenId)).policy() != Policy.Open;
    }

    /// @inheritdoc IEventTickets
    function owner() external view returns (address) {
        return admin();
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC165).interfaceId || id == type(IERC721).interfaceId
            || id == type(IERC721Metadata).interfaceId || id == type(IERC2981).interfaceId
            || id == 0x49064906 // ERC-4906
            || id == type(IERC5192).interfaceId || id == type(IERC7572).interfaceId;
    }

    function _approvedFor(uint256 tokenId, TokenWord token) private view returns (address) {
        uint256 approved = _approved[tokenId];
        return approved >> 160 == token.epoch() ? address(uint160(approved)) : address(0);
    }

    function _requireSender(address from, address to, uint256 tokenId, TokenWord token) private view {
        if (to == address(0)) revert ERC721InvalidReceiver(address(0));
        address holder = token.owner();
        if (holder == address(0)) revert ERC721NonexistentToken(tokenId);
        bool may = msg.sender == holder || _operators[holder][msg.sender] || _approvedFor(tokenId, token) == msg.sender;
        if (!may) revert ERC721InsufficientApproval(msg.sender, tokenId);
        if (from != holder) revert ERC721IncorrectOwner(from, tokenId, holder);
    }

    function _knownRoles() internal pure override returns (uint8) {
        return Role.ISSUER | Role.RELAYER | Role.GATE | Role.PAUSER | Role.SETTLER;
    }
}
