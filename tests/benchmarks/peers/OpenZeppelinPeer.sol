// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @dev OpenZeppelin's ERC-721 with the least that mints to a list.
contract OpenZeppelinPeer is ERC721("Peer", "PEER") {
    function mint(uint256 firstId, address[] calldata owners) external {
        for (uint256 i; i < owners.length; ++i) _mint(owners[i], firstId + i);
    }
}
