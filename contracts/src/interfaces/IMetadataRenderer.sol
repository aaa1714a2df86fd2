// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEventTickets} from "./IEventTickets.sol";

/// @title Draws what wallets and markets show of a ticket (SPEC 8.8)
/// @notice Knows events, classes and statuses; never a person.
interface IMetadataRenderer {
    /// @notice ERC-721 metadata of a ticket, as a data URI.
    function tokenURI(IEventTickets tickets, uint256 tokenId) external view returns (string memory);

    /// @notice ERC-7572 metadata of the event, as a data URI.
    function contractURI(IEventTickets tickets) external view returns (string memory);
}
