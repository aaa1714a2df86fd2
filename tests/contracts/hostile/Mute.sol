// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev A contract that never heard of tickets.
contract Mute {}
