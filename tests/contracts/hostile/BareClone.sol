// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @dev A clone that somebody made past the factory.
contract BareClone {
    address public made;

    constructor(address implementation, address custody) {
        made = Clones.cloneWithImmutableArgs(implementation, abi.encodePacked(custody, bytes32("bare")));
    }
}
