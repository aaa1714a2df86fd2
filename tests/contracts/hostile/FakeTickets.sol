// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev A tickets contract of a thief's, who wants other people's money out of the market.
contract FakeTickets {
    address public token;
    uint256 public units = 1;
    address public thief = msg.sender;
    bytes public attack;
    bool public attackWorked;

    function set(address token_, uint256 units_, bytes calldata attack_) external {
        (token, units, attack) = (token_, units_, attack_);
    }

    function paymentOf(uint256) external view returns (address, uint256, address, bool) {
        return (token, units, thief, true);
    }

    function classOf(uint256) external pure returns (uint256) {
        return 0;
    }

    function ownerOf(uint256) external view returns (address) {
        return thief;
    }

    function royaltyInfo(uint256, uint256 price) external view returns (address, uint256) {
        return (thief, price * units);
    }

    function rolesOf(address) external pure returns (uint8) {
        return 255;
    }

    function settle(uint256, uint256, address, uint256, address, bool, bytes32, bytes calldata) external {
        if (attack.length != 0) (attackWorked,) = msg.sender.call(attack);
    }
}
