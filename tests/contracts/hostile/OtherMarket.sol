// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Another market: it knows the ABI of ours and nothing else, and buys for its customers.
contract OtherMarket {
    struct Ask {
        address tickets;
        uint256 tokenId;
        uint256 epoch;
        uint256 price;
        address buyer;
        uint256 deadline;
        uint256 counter;
    }

    function buyFor(
        address market,
        Ask calldata ask,
        address customer,
        bytes calldata sellerSignature,
        bytes calldata consent
    ) external payable {
        (bool sold, bytes memory answer) = market.call{value: msg.value}(
            abi.encodeWithSignature(
                "fill((address,uint256,uint256,uint256,address,uint256,uint256),address,bytes,bytes)",
                ask,
                customer,
                sellerSignature,
                consent
            )
        );
        if (!sold) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}
