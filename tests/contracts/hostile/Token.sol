// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @dev An ERC-20: honest, or hostile.
contract Token is ERC20("Coin", "COIN") {
    enum Manner {
        Honest,
        KeepsAPart,
        AnswersFalse,
        Reenters
    }

    Manner public manner;
    address public target;
    bytes public attack;
    bool public attackWorked;
    bytes public attackAnswer;

    constructor(Manner manner_) {
        manner = manner_;
    }

    function give(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function arm(address target_, bytes calldata attack_) external {
        (target, attack) = (target_, attack_);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (manner == Manner.AnswersFalse) return false;
        if (manner == Manner.Reenters && target != address(0)) (attackWorked, attackAnswer) = target.call(attack);
        if (manner == Manner.KeepsAPart) {
            _burn(from, amount / 100);
            amount -= amount / 100;
        }
        return super.transferFrom(from, to, amount);
    }
}
