// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Sorted lists of addresses kept as the code of a contract: a zero byte, so that nobody can run it, then 20 bytes
/// an address. Reading code costs far less than reading storage, and writing it costs 200 gas a byte (the SSTORE2 idea).
library OwnerCode {
    /// @dev 24,576 bytes of code (EIP-170), less the zero byte, in addresses of 20 bytes.
    uint256 internal constant MAX_OWNERS = 1_228;

    /// @dev Size of an address in the list, in bytes.
    uint256 internal constant SIZE = 20;

    /// @dev Creation code that returns what follows its 10 bytes:
    /// PUSH2 size DUP1 PUSH1 10 RETURNDATASIZE CODECOPY RETURNDATASIZE RETURN, then the zero byte.
    uint256 private constant CREATION = 0x61_0000_80_60_0a_3d_39_3d_f3_00;

    /// @dev Writes the list. `pointer` is zero if the code could not be written.
    function write(bytes calldata owners) internal returns (address pointer) {
        assembly ("memory-safe") {
            let start := mload(0x40) // beyond it is free; it is not kept, so the pointer need not move
            mstore(start, shl(168, or(CREATION, shl(64, add(owners.length, 1)))))
            calldatacopy(add(start, 11), owners.offset, owners.length)
            pointer := create(0, start, add(owners.length, 11))
        }
    }

    /// @dev The code hash that `write` of these owners gives: keccak256(0x00, owners).
    function hash(bytes calldata owners) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore8(start, 0)
            calldatacopy(add(start, 1), owners.offset, owners.length)
            result := keccak256(start, add(owners.length, 1))
        }
    }

    /// @dev The owner at `index`, which must exist.
    function ownerAt(address pointer, uint256 index) internal view returns (address owner) {
        assembly ("memory-safe") {
            mstore(0, 0)
            extcodecopy(pointer, 12, add(1, mul(index, SIZE)), SIZE)
            owner := mload(0)
        }
    }

    /// @dev The whole list, `count` owners long.
    function read(address pointer, uint256 count) internal view returns (bytes memory owners) {
        owners = new bytes(count * SIZE);
        assembly ("memory-safe") {
            extcodecopy(pointer, add(owners, 32), 1, mul(count, SIZE))
        }
    }

    /// @dev The run of `owner` in a list of `count`: index of its first entry, and how many follow one another.
    function run(address pointer, uint256 count, address owner) internal view returns (uint256 first, uint256 length) {
        assembly ("memory-safe") {
            // The list goes to free memory and is not kept; the next call overwrites it.
            let list := mload(0x40)
            extcodecopy(pointer, list, 1, mul(count, SIZE))

            // Index of the first entry that is not below `bound`; entries are sorted.
            function search(list_, low, high, bound) -> found {
                for {} lt(low, high) {} {
                    let middle := shr(1, add(low, high))
                    switch lt(shr(96, mload(add(list_, mul(middle, SIZE)))), bound)
                    case 0 { high := middle }
                    default { low := add(middle, 1) }
                }
                found := low
            }
            first := search(list, 0, count, owner)
            length := sub(search(list, first, count, add(owner, 1)), first)
        }
    }
}
