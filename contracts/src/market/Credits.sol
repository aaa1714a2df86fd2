// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/interfaces/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ITicketMarket} from "../interfaces/ITicketMarket.sol";

/// @dev Money in, and what is owed to whom. Nobody is paid in the middle of something else.
abstract contract Credits is ITicketMarket, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    mapping(address token => mapping(address account => uint256)) private _owed;

    /// @inheritdoc ITicketMarket
    function owed(address token, address account) external view returns (uint256) {
        return _owed[token][account];
    }

    /// @inheritdoc ITicketMarket
    function withdraw(address token, address to) external nonReentrant {
        uint256 units = _owed[token][msg.sender];
        if (units == 0) revert NothingOwed(token, msg.sender);
        if (to == address(0)) revert RecipientMissing();
        _owed[token][msg.sender] = 0;
        emit Withdrawn(token, msg.sender, to, units);
        if (token == address(0)) {
            (bool paid,) = to.call{value: units}("");
            if (!paid) revert PaymentFailed(to);
        } else {
            IERC20(token).safeTransfer(to, units);
        }
    }

    function _credit(address token, address account, uint256 units) internal {
        if (units == 0) return;
        _owed[token][account] += units;
        emit Credited(token, account, units);
    }

    /// @dev Takes exactly `units` from the sender, of which `sent` wei came along. A token that keeps a part of what it moves is refused, since the market
    /// would owe more than it has.
    function _collect(address token, uint256 units, uint256 sent) internal {
        if (token == address(0)) {
            if (sent != units) revert WrongPayment(units, sent);
            return;
        }
        if (sent != 0) revert WrongPayment(0, sent);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), units);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != units) revert ShortPayment(token, units, received);
    }
}
