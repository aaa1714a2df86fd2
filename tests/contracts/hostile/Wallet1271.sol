// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @dev An ERC-1271 wallet: honest, or lying in one of the ways that wallets lie.
contract Wallet1271 {
    enum Manner {
        Honest,
        SaysYes,
        SaysNo,
        AnswersShort,
        AnswersTrue,
        Reverts
    }

    address public immutable signer;
    Manner public manner;

    constructor(address signer_, Manner manner_) {
        (signer, manner) = (signer_, manner_);
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        Manner m = manner;
        if (m == Manner.Reverts) revert("no");
        if (m == Manner.AnswersShort) {
            assembly {
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 4)
            }
        }
        if (m == Manner.AnswersTrue) {
            assembly {
                mstore(0, 1)
                return(0, 32)
            }
        }
        if (m == Manner.SaysNo) return 0xffffffff;
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        return m == Manner.SaysYes || recovered == signer ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }

    function act(address target, bytes calldata call) external payable {
        (bool worked, bytes memory answer) = target.call{value: msg.value}(call);
        if (!worked) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    receive() external payable {}
}
