// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-5192: minimal soulbound NFTs
interface IERC5192 {
    /// @notice The token is locked from now on.
    event Locked(uint256 tokenId);
    /// @notice The token is no longer locked.
    event Unlocked(uint256 tokenId);

    /// @notice Whether ERC-721's transfer functions refuse this token because of its class's policy.
    function locked(uint256 tokenId) external view returns (bool);
}
