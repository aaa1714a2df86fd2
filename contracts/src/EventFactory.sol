// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {EventConfig, IEventTickets} from "./interfaces/IEventTickets.sol";
import {IEventFactory} from "./interfaces/IEventFactory.sol";

/// @title Makes the tickets contract of an event
/// @dev Clones can't be changed and have no owner here; the factory keeps only which ones it made.
contract EventFactory is IEventFactory {
    /// @inheritdoc IEventFactory
    address public immutable implementation;

    /// @inheritdoc IEventFactory
    mapping(address creator => mapping(bytes32 eventId => address)) public eventOf;

    /// @inheritdoc IEventFactory
    mapping(address tickets => bool) public isEvent;

    /// @param implementation_ An EventTickets for the clones to run.
    constructor(address implementation_) {
        if (implementation_.code.length == 0) revert NoImplementation(implementation_);
        implementation = implementation_;
    }

    /// @inheritdoc IEventFactory
    function createEvent(EventConfig calldata config) external returns (address tickets) {
        address existing = eventOf[msg.sender][config.eventId];
        if (existing != address(0)) revert EventExists(config.eventId, msg.sender, existing);
        tickets = Clones.cloneDeterministicWithImmutableArgs(
            implementation, _args(config.custody, config.eventId), _salt(msg.sender, config.eventId)
        );
        eventOf[msg.sender][config.eventId] = tickets;
        isEvent[tickets] = true;
        IEventTickets(tickets).initialize(config);
        emit EventCreated(config.eventId, msg.sender, tickets);
    }

    /// @inheritdoc IEventFactory
    function predictEvent(address creator, bytes32 eventId, address custody) external view returns (address) {
        return Clones.predictDeterministicAddressWithImmutableArgs(
            implementation, _args(custody, eventId), _salt(creator, eventId), address(this)
        );
    }

    function _args(address custody, bytes32 eventId) private pure returns (bytes memory) {
        return abi.encodePacked(custody, eventId);
    }

    /// @dev With the creator in it, so that nobody can take the address that somebody else's event will have.
    function _salt(address creator, bytes32 eventId) private pure returns (bytes32) {
        return keccak256(abi.encode(creator, eventId));
    }
}
