// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ClassInfo, EventInfo, IEventTickets, Policy, Status} from "./interfaces/IEventTickets.sol";
import {IMetadataRenderer} from "./interfaces/IMetadataRenderer.sol";
import {Texts} from "./lib/Texts.sol";

/// @title Draws what wallets and markets show of a ticket
/// @dev Reads nothing but the event, the class and the ticket's public state: no owner, no name, no seat.
contract MetadataRenderer is IMetadataRenderer {
    using Strings for uint256;
    using Strings for string;
    using Texts for string;

    uint256 private constant BPS = 10_000;

    /// @inheritdoc IMetadataRenderer
    function tokenURI(IEventTickets tickets, uint256 tokenId) external view returns (string memory) {
        EventInfo memory info = tickets.eventInfo();
        ClassInfo memory class = tickets.classInfo(tickets.classOf(tokenId));
        string memory number = string.concat((tokenId >> 16).toString(), "-", (tokenId & 0xffff).toString());
        string memory status = _status(info.cancelled, tickets.statusOf(tokenId));
        string memory name = tickets.name();
        return _json(
            string.concat(
                '{"name":"',
                string.concat(name, ", ", class.label, " ", number).escapeJSON(),
                '","description":"',
                info.description.escapeJSON(),
                '","image":"',
                _picture(info.eventHash, name, class.label, string.concat("No. ", number, ", ", status)),
                '","attributes":[',
                _attributes(class, status),
                "]}"
            )
        );
    }

    /// @inheritdoc IMetadataRenderer
    function contractURI(IEventTickets tickets) external view returns (string memory) {
        EventInfo memory info = tickets.eventInfo();
        string memory name = tickets.name();
        return _json(
            string.concat(
                '{"name":"',
                name.escapeJSON(),
                '","symbol":"',
                tickets.symbol().escapeJSON(),
                '","description":"',
                info.description.escapeJSON(),
                '","image":"',
                _picture(info.eventHash, name, tickets.symbol(), info.cancelled ? "event cancelled" : ""),
                '"}'
            )
        );
    }

    /// @dev Only what changes with an ERC-4906 event; moves have none of their own, so they are not shown.
    function _attributes(ClassInfo memory class, string memory status) private pure returns (string memory) {
        bool capped = class.policy == Policy.MarketOnly;
        uint256 cap = uint256(class.faceValue) * class.capBps / BPS;
        return string.concat(
            _text("Class", class.label.escapeJSON()),
            ",",
            _text("Status", status),
            ",",
            _text("Resale", _policy(class.policy)),
            ",",
            _text("Face value", Texts.money(class.faceValue, class.currency).escapeJSON()),
            capped ? string.concat(",", _text("Highest resale price", Texts.money(cap, class.currency).escapeJSON())) : "",
            string.concat(
                ',{"display_type":"date","trait_type":"Moves end","value":', uint256(class.closes).toString(), "}"
            )
        );
    }

    function _text(string memory kind, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', kind, '","value":"', value, '"}');
    }

    /// @dev A card in the event's colour, of which the hue is taken from the event hash.
    function _picture(bytes32 seed, string memory title, string memory label, string memory line)
        private
        pure
        returns (string memory)
    {
        string memory hue = (uint256(seed) % 360).toString();
        return string.concat(
            "data:image/svg+xml;base64,",
            Base64.encode(
                bytes(
                    string.concat(
                        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 340" font-family="sans-serif" fill="#fff">',
                        '<rect width="600" height="340" rx="28" fill="hsl(',
                        hue,
                        ',55%,32%)"/><path d="M430 0v340" stroke="#fff" stroke-opacity=".5" stroke-width="3" stroke-dasharray="4 12"/>',
                        '<circle cx="515" cy="170" r="52" fill="none" stroke="#fff" stroke-width="10"/>',
                        '<text x="36" y="90" font-size="',
                        _fontSize(title),
                        '">',
                        title.xml(),
                        '</text><text x="36" y="150" font-size="26">',
                        label.xml(),
                        '</text><text x="36" y="296" font-size="22" fill-opacity=".85">',
                        line,
                        "</text></svg>"
                    )
                )
            )
        );
    }

    /// @dev So that long titles stay left of the perforation, roughly.
    function _fontSize(string memory title) private pure returns (string memory) {
        uint256 size = 720 / (bytes(title).length + 1);
        return (size > 36 ? 36 : size < 12 ? 12 : size).toString();
    }

    function _json(string memory text) private pure returns (string memory) {
        return string.concat("data:application/json;base64,", Base64.encode(bytes(text)));
    }

    function _status(bool cancelled, Status status) private pure returns (string memory) {
        if (cancelled) return "event cancelled";
        if (status == Status.Valid) return "valid";
        if (status == Status.Redeemed) return "used";
        return status == Status.Suspended ? "suspended" : "revoked";
    }

    function _policy(Policy policy) private pure returns (string memory) {
        if (policy == Policy.Open) return "open, no price cap";
        if (policy == Policy.MarketOnly) return "with the organiser's consent, price capped";
        return policy == Policy.Frozen ? "closed for now" : "not allowed";
    }
}
