// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Is paid, and tries again from inside the payment.
contract GreedySeller {
    address public market;
    bool public attackWorked;
    bool public refuses;
    uint256 public times;

    constructor(address market_, bool refuses_) {
        (market, refuses) = (market_, refuses_);
    }

    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }

    function fetch(bytes calldata call) external {
        (bool worked, bytes memory answer) = market.call(call);
        if (!worked) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    receive() external payable {
        if (refuses) revert("no");
        if (times++ == 0) {
            (attackWorked,) = market.call(abi.encodeWithSignature("withdraw(address,address)", address(0), address(this)));
        }
    }
}
