// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-7572: contract-level metadata
interface IERC7572 {
    /// @notice The contract's metadata changed.
    event ContractURIUpdated();

    /// @notice JSON about the contract, as a data URI.
    function contractURI() external view returns (string memory);
}
