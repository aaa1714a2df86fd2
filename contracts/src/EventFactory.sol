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
    mapping(address creator => mapping(bytes32 eventHash => address)) public eventOf;

    /// @inheritdoc IEventFactory
    mapping(address tickets => bool) public isEvent;

    /// @param implementation_ An EventTickets for the clones to run.
    constructor(address implementation_) {
        if (implementation_.code.length == 0) revert NoImplementation(implementation_);
        implementation = implementation_;
    }

    /// @inheritdoc IEventFactory
    function createEvent(EventConfig calldata config) external returns (address tickets) {
        address existing = eventOf[msg.sender][config.eventHash];
        if (existing != address(0)) revert EventExists(config.eventHash, msg.sender, existing);
        tickets = Clones.cloneDeterministicWithImmutableArgs(
            implementation, _args(config.custody, config.eventHash), _salt(msg.sender, config.eventHash)
        );
        eventOf[msg.sender][config.eventHash] = tickets;
        isEvent[tickets] = true;
        IEventTickets(tickets).initialize(config);
        emit EventCreated(config.eventHash, msg.sender, tickets);
    }

    /// @inheritdoc IEventFactory
    function predictEvent(address creator, bytes32 eventHash, address custody) external view returns (address) {
        return Clones.predictDeterministicAddressWithImmutableArgs(
            implementation, _args(custody, eventHash), _salt(creator, eventHash), address(this)
        );
    }

    function _args(address custody, bytes32 eventHash) private pure returns (bytes memory) {
        return abi.encodePacked(custody, eventHash);
    }

    /// @dev With the creator in it, so that nobody can take the address that somebody else's event will have.
    function _salt(address creator, bytes32 eventHash) private pure returns (bytes32) {
        return keccak256(abi.encode(creator, eventHash));
    }
}
