// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "solady/src/tokens/ERC721.sol";

/// @dev Solady's ERC-721 with the least that mints to a list.
contract SoladyPeer is ERC721 {
    function name() public pure override returns (string memory) {
        return "Peer";
    }

    function symbol() public pure override returns (string memory) {
        return "PEER";
    }

    function tokenURI(uint256) public pure override returns (string memory) {
        return "";
    }

    function mint(uint256 firstId, address[] calldata owners) external {
        for (uint256 i; i < owners.length; ++i) _mint(owners[i], firstId + i);
    }
}
