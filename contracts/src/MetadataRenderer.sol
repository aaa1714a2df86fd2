// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ClassInfo, IEventTickets, Policy, Status} from "./interfaces/IEventTickets.sol";
import {IMetadataRenderer} from "./interfaces/IMetadataRenderer.sol";

/// @title Draws what wallets and markets show of a ticket
contract MetadataRenderer is IMetadataRenderer {
    using Strings for uint256;
    using Strings for string;

    string private constant JSON = "data:application/json;base64,";

    /// @inheritdoc IMetadataRenderer
    function tokenURI(IEventTickets tickets, uint256 tokenId) external view returns (string memory) {
        ClassInfo memory class = tickets.classInfo(tickets.classOf(tokenId));
        string memory number = string.concat((tokenId >> 16).toString(), "-", (tokenId & 0xffff).toString());
        bytes memory json = abi.encodePacked(
            '{"name":"', string.concat(tickets.name(), " / ", class.label, " ", number).escapeJSON(),
            '","description":"', tickets.eventInfo().description.escapeJSON(),
            '","attributes":[', _attribute("Class", class.label.escapeJSON()),
            ",", _attribute("Status", _status(tickets, tokenId)),
            ",", _attribute("Policy", _policy(class.policy)), "]}"
        );
        return string.concat(JSON, Base64.encode(json));
    }

    /// @inheritdoc IMetadataRenderer
    function contractURI(IEventTickets tickets) external view returns (string memory) {
        bytes memory json = abi.encodePacked(
            '{"name":"', tickets.name().escapeJSON(),
            '","symbol":"', tickets.symbol().escapeJSON(),
            '","description":"', tickets.eventInfo().description.escapeJSON(), '"}'
        );
        return string.concat(JSON, Base64.encode(json));
    }

    function _attribute(string memory kind, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', kind, '","value":"', value, '"}');
    }

    function _status(IEventTickets tickets, uint256 tokenId) private view returns (string memory) {
        if (tickets.eventInfo().cancelled) return "event cancelled";
        Status status = tickets.statusOf(tokenId);
        if (status == Status.Valid) return "valid";
        if (status == Status.Redeemed) return "used";
        return status == Status.Suspended ? "suspended" : "revoked";
    }

    function _policy(Policy policy) private pure returns (string memory) {
        if (policy == Policy.Open) return "open, no price cap";
        if (policy == Policy.MarketOnly) return "market only, price cap";
        return policy == Policy.Frozen ? "frozen" : "soulbound";
    }
}
