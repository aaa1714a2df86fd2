// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721A} from "erc721a/contracts/ERC721A.sol";

/// @dev ERC721A with the least that mints to a list.
contract Erc721aPeer is ERC721A("Peer", "PEER") {
    function mint(uint256, address[] calldata owners) external {
        for (uint256 i; i < owners.length; ++i) _mint(owners[i], 1);
    }
}
