// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/interfaces/IERC721Receiver.sol";

/// @dev A receiver that behaves as it was told to, and remembers what it was called with.
contract Receiver is IERC721Receiver {
    enum Mood {
        Accepts,
        WrongAnswer,
        RevertsWithError,
        RevertsEmpty,
        Reenters
    }

    error Refused();

    Mood public mood;
    address public caller;
    address public operator;
    address public from;
    uint256 public tokenId;
    bytes public data;
    address public ownerAtCall;
    bytes public attack;
    bool public attackWorked;

    constructor(Mood mood_) {
        mood = mood_;
    }

    function arm(bytes calldata attack_) external {
        attack = attack_;
    }

    function act(address target, bytes calldata call) external payable {
        (bool worked, bytes memory answer) = target.call{value: msg.value}(call);
        if (!worked) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    function onERC721Received(address operator_, address from_, uint256 tokenId_, bytes calldata data_)
        external
        returns (bytes4)
    {
        (caller, operator, from, tokenId, data) = (msg.sender, operator_, from_, tokenId_, data_);
        ownerAtCall = IERC721(msg.sender).ownerOf(tokenId_);
        if (mood == Mood.RevertsWithError) revert Refused();
        if (mood == Mood.RevertsEmpty) {
            assembly {
                revert(0, 0)
            }
        }
        if (mood == Mood.Reenters) (attackWorked,) = msg.sender.call(attack);
        return mood == Mood.WrongAnswer ? bytes4(0x12345678) : IERC721Receiver.onERC721Received.selector;
    }
}
