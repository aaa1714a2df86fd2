// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Path, Policy} from "../interfaces/IEventTickets.sol";
import {ClassWord} from "./Words.sol";

/// @dev Which policy allows which path (SPEC 8.6 shows the same table).
library Policies {
    // One row of 8 bits a policy, one bit a path: claim, fiat, ask, gift, transfer.
    uint256 private constant OPEN = 0x1f; // 11111
    uint256 private constant MARKET_ONLY = 0x1e; // 11110
    uint256 private constant FROZEN = 0x10; // 10000
    uint256 private constant SOULBOUND = 0x10; // 10000
    uint256 internal constant TABLE = OPEN | MARKET_ONLY << 8 | FROZEN << 16 | SOULBOUND << 24;

    function allows(ClassWord class, Path path) internal pure returns (bool) {
        unchecked {
            return TABLE >> (class.policyRow() + uint256(path)) & 1 == 1;
        }
    }

    /// @dev Where the holder's signature is not enough. A claim and a fiat settlement are the platform's own calls.
    function needsConsent(Policy policy, Path path) internal pure returns (bool) {
        return policy == Policy.MarketOnly && (path == Path.Gift || path == Path.Ask);
    }

    /// @dev A class never becomes freer than it was sold as, but for the thaw of a frozen one to MarketOnly.
    function mayBecome(Policy from, Policy to) internal pure returns (bool) {
        return from != Policy.Soulbound && to != Policy.Open && to != from;
    }
}
