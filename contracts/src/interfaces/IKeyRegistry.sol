// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoles} from "./IRoles.sol";

/// @notice A key as the registry has it; the fields are those of a key list's entry (SPEC 5.1). Times in seconds since 1970.
struct KeyRecord {
    bytes32 publicKey;
    uint8 algorithm; // 1: Ed25519
    uint8 role; // 1 issuing, 2 bundle, 3 gate
    bytes8 eventTag; // zeros: every event of the platform
    uint32 notBefore;
    uint32 notAfter; // first second at which it no longer signs
    uint32 activeAt; // an addition counts only after the delay
    uint32 revokedAt; // 0: not revoked
    uint8 reason; // 0 none, 1 rotated, 2 compromised
}

/// @notice A bundle's root as it was anchored.
struct BundleAnchor {
    bytes32 root; // SHA-256 of the bundle
    bytes32 blockHash; // of the block before the one that anchored it
    uint64 blockNumber; // of the same
    uint64 anchoredAt; // seconds since 1970
}

/// @title The keys that sign tickets, gates and bundles, for everybody to compare (SPEC 8.10)
/// @notice Gates go by the root-signed key list; the registry mirrors it, so that a key nobody announced can't go unseen.
/// Additions wait, revocations don't.
interface IKeyRegistry is IRoles {
    /// @notice A key was added; it counts from `activeAt` on.
    event KeyAdded(
        bytes4 indexed keyId,
        bytes8 indexed eventTag,
        uint8 indexed role,
        bytes32 publicKey,
        uint256 notBefore,
        uint256 notAfter,
        uint256 activeAt
    );
    /// @notice A key was revoked. Rotated (1) honours what it signed before, compromised (2) voids it.
    event KeyRevoked(bytes4 indexed keyId, uint8 reason, uint256 revokedAt);
    /// @notice Version `version` of an event's bundle was anchored.
    event BundleAnchored(
        bytes8 indexed eventTag, uint256 indexed version, bytes32 root, uint256 blockNumber, bytes32 blockHash
    );

    /// @notice There is no such key.
    error UnknownKey(bytes4 keyId);
    /// @notice A key with the same id was added before; ids are unique for good.
    error KeyIdTaken(bytes4 keyId, bytes32 publicKey);
    /// @notice `field` of the key can't be right.
    error KeyInvalid(bytes32 field);
    /// @notice The key was revoked before, for the same reason or a graver one.
    error KeyAlreadyRevoked(bytes4 keyId, uint8 reason);
    /// @notice Reasons are 1, rotated, and 2, compromised.
    error ReasonInvalid(uint8 reason);
    /// @notice Versions only grow; `version` is the highest anchored.
    error VersionNotRising(bytes8 eventTag, uint256 version, uint256 given);
    /// @notice A bundle's root is not zero.
    error RootMissing();

    /// @notice Seconds between an addition and the moment it counts.
    function additionDelay() external view returns (uint256);

    /// @notice Adds a key. Keys role only.
    /// @param algorithm 1: Ed25519.
    /// @param role 1 issuing, 2 bundle, 3 gate.
    /// @param eventTag The event; zeros for every event of the platform.
    /// @param notBefore First second at which it signs, since 1970.
    /// @param notAfter First second at which it no longer does.
    /// @return keyId The first 4 bytes of SHA-256(public key).
    function addKey(
        uint8 algorithm,
        uint8 role,
        bytes8 eventTag,
        bytes32 publicKey,
        uint32 notBefore,
        uint32 notAfter
    ) external returns (bytes4 keyId);

    /// @notice Revokes a key at once, also one that does not count yet. Rotated may become compromised, never the reverse.
    /// Keys role only.
    function revokeKey(bytes4 keyId, uint8 reason) external;

    /// @notice How many keys there are.
    function keyCount() external view returns (uint256);

    /// @notice The id of the key at `index`, in order of addition.
    function keyIdAt(uint256 index) external view returns (bytes4);

    /// @notice A key by its id.
    function keyOf(bytes4 keyId) external view returns (KeyRecord memory);

    /// @notice Whether what the key signed at `time` (seconds since 1970) for the event counts, as known now.
    function isValidAt(bytes4 keyId, uint8 role, bytes8 eventTag, uint256 time) external view returns (bool);

    /// @notice Anchors an event's bundle. Relayer only.
    /// @param root SHA-256 of the bundle.
    function anchorBundle(bytes8 eventTag, uint32 version, bytes32 root) external;

    /// @notice The highest version anchored for an event; 0 if none.
    function bundleVersion(bytes8 eventTag) external view returns (uint256);

    /// @notice What was anchored under a version; zeros if nothing.
    function bundleAnchor(bytes8 eventTag, uint256 version) external view returns (BundleAnchor memory);
}
