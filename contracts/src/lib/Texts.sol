// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

/// @dev Text for metadata.
library Texts {
    using Strings for uint256;

    // ISO 4217: currencies whose minor unit is not a hundredth.
    bytes private constant NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ";
    bytes private constant THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND ";

    /// @dev Text between XML tags: markup escaped, control characters (not allowed in XML 1.0) left out.
    function xml(string memory text) internal pure returns (string memory) {
        bytes memory from = bytes(text);
        bytes memory to = new bytes(from.length * 5);
        uint256 length;
        for (uint256 i; i < from.length; ++i) {
            bytes1 c = from[i];
            bytes memory piece;
            if (c == "&") piece = "&amp;";
            else if (c == "<") piece = "&lt;";
            else if (c == ">") piece = "&gt;";
            else if (c >= " ") piece = abi.encodePacked(c);
            for (uint256 k; k < piece.length; ++k) to[length++] = piece[k];
        }
        assembly ("memory-safe") {
            mstore(to, length)
        }
        return string(to);
    }

    /// @dev Minor units as people write them: 5000 and EUR make "50.00 EUR".
    function money(uint256 minor, bytes3 currency) internal pure returns (string memory) {
        string memory code = string(abi.encodePacked(currency));
        uint256 decimals = _lists(NO_DECIMALS, currency) ? 0 : _lists(THREE_DECIMALS, currency) ? 3 : 2;
        if (decimals == 0) return string.concat(minor.toString(), " ", code);
        uint256 one = 10 ** decimals;
        // One more digit in front keeps the zeros, and is cut off.
        bytes memory digits = bytes((minor % one + one).toString());
        digits[0] = ".";
        return string.concat((minor / one).toString(), string(digits), " ", code);
    }

    function _lists(bytes memory list, bytes3 currency) private pure returns (bool) {
        for (uint256 i; i < list.length; i += 4) {
            if (bytes3(abi.encodePacked(list[i], list[i + 1], list[i + 2])) == currency) return true;
        }
        return false;
    }
}
