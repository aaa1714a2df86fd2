// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EventConfig} from "./IEventTickets.sol";

/// @title Makes the tickets contract of an event (SPEC 8.1)
interface IEventFactory {
    /// @notice The tickets contract of `eventHash` was made by `creator`.
    event EventCreated(bytes32 indexed eventHash, address indexed creator, address indexed tickets);

    /// @notice `creator` has made this event before; its contract is `tickets`.
    error EventExists(bytes32 eventHash, address creator, address tickets);
    /// @notice The implementation has no code.
    error NoImplementation(address implementation);

    /// @notice The contract that every clone runs.
    function implementation() external view returns (address);

    /// @notice Makes and sets up the clone. Its address depends on the caller, the event hash and custody only.
    function createEvent(EventConfig calldata config) external returns (address tickets);

    /// @notice The contract of `eventHash` made by `creator`; zero if there is none yet.
    function eventOf(address creator, bytes32 eventHash) external view returns (address);

    /// @notice Where `creator`'s contract for `eventHash` with this custody address is, or will be.
    function predictEvent(address creator, bytes32 eventHash, address custody) external view returns (address);

    /// @notice Whether this factory made `tickets`.
    function isEvent(address tickets) external view returns (bool);
}
