// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BundleAnchor, IKeyRegistry, KeyRecord} from "./interfaces/IKeyRegistry.sol";
import {Role, Roles} from "./tickets/Roles.sol";

/// @title The keys that sign tickets, gates and bundles
contract KeyRegistry is IKeyRegistry, Roles {
    uint8 private constant ED25519 = 1;
    uint8 private constant LAST_ROLE = 3; // issuing, bundle, gate
    uint8 private constant ROTATED = 1;
    uint8 private constant COMPROMISED = 2;
    /// @dev Longest delay of additions, in seconds.
    uint256 private constant MAX_DELAY = 30 days;

    /// @inheritdoc IKeyRegistry
    uint256 public immutable additionDelay;

    bytes4[] private _ids;
    mapping(bytes4 keyId => KeyRecord) private _keys;
    mapping(bytes8 eventTag => uint256) private _version;
    mapping(bytes8 eventTag => mapping(uint256 version => BundleAnchor)) private _anchors;

    /// @param admin_ Grants the roles.
    /// @param keys Adds and revokes keys.
    /// @param relayer Anchors bundles.
    /// @param delay Seconds between an addition and the moment it counts; at most 30 days.
    constructor(address admin_, address keys, address relayer, uint256 delay) {
        if (delay > MAX_DELAY) revert KeyInvalid("delay");
        additionDelay = delay;
        _setAdmin(admin_);
        _grant(keys, Role.KEYS);
        _grant(relayer, Role.RELAYER);
    }

    /// @inheritdoc IKeyRegistry
    function addKey(
        uint8 algorithm,
        uint8 role,
        bytes8 eventTag,
        bytes32 publicKey,
        uint32 notBefore,
        uint32 notAfter
    ) external onlyRole(Role.KEYS) returns (bytes4 keyId) {
        if (algorithm != ED25519) revert KeyInvalid("algorithm");
        if (role == 0 || role > LAST_ROLE) revert KeyInvalid("role");
        if (publicKey == 0) revert KeyInvalid("publicKey");
        if (notBefore >= notAfter) revert KeyInvalid("notAfter");
        keyId = bytes4(sha256(abi.encodePacked(publicKey)));
        if (_keys[keyId].publicKey != 0) revert KeyIdTaken(keyId, _keys[keyId].publicKey);
        uint32 activeAt = uint32(block.timestamp + additionDelay);
        _keys[keyId] = KeyRecord({
            publicKey: publicKey,
            algorithm: algorithm,
            role: role,
            eventTag: eventTag,
            notBefore: notBefore,
            notAfter: notAfter,
            activeAt: activeAt,
            revokedAt: 0,
            reason: 0
        });
        _ids.push(keyId);
        emit KeyAdded(keyId, eventTag, role, publicKey, notBefore, notAfter, activeAt);
    }

    /// @inheritdoc IKeyRegistry
    function revokeKey(bytes4 keyId, uint8 reason) external onlyRole(Role.KEYS) {
        if (reason != ROTATED && reason != COMPROMISED) revert ReasonInvalid(reason);
        KeyRecord storage key = _existing(keyId);
        if (key.reason >= reason) revert KeyAlreadyRevoked(keyId, key.reason);
        // A rotated key that turns out compromised keeps the time it was rotated at.
        if (key.revokedAt == 0) key.revokedAt = uint32(block.timestamp);
        key.reason = reason;
        emit KeyRevoked(keyId, reason, key.revokedAt);
    }

    /// @inheritdoc IKeyRegistry
    function keyCount() external view returns (uint256) {
        return _ids.length;
    }

    /// @inheritdoc IKeyRegistry
    function keyIdAt(uint256 index) external view returns (bytes4) {
        if (index >= _ids.length) revert UnknownKey(0);
        return _ids[index];
    }

    /// @inheritdoc IKeyRegistry
    function keyOf(bytes4 keyId) external view returns (KeyRecord memory) {
        return _existing(keyId);
    }

    /// @inheritdoc IKeyRegistry
    function isValidAt(bytes4 keyId, uint8 role, bytes8 eventTag, uint256 time) external view returns (bool) {
        KeyRecord memory key = _existing(keyId);
        if (key.role != role || (key.eventTag != 0 && key.eventTag != eventTag)) return false;
        if (time < key.notBefore || time < key.activeAt || time >= key.notAfter) return false;
        if (key.reason == COMPROMISED) return false;
        return key.reason == 0 || time <= key.revokedAt;
    }

    /// @inheritdoc IKeyRegistry
    function anchorBundle(bytes8 eventTag, uint32 version, bytes32 root) external onlyRole(Role.RELAYER) {
        if (root == 0) revert RootMissing();
        uint256 last = _version[eventTag];
        if (version <= last) revert VersionNotRising(eventTag, last, version);
        uint256 number = block.number - 1;
        bytes32 hash = blockhash(number);
        _version[eventTag] = version;
        _anchors[eventTag][version] = BundleAnchor(root, hash, uint64(number), uint64(block.timestamp));
        emit BundleAnchored(eventTag, version, root, number, hash);
    }

    /// @inheritdoc IKeyRegistry
    function bundleVersion(bytes8 eventTag) external view returns (uint256) {
        return _version[eventTag];
    }

    /// @inheritdoc IKeyRegistry
    function bundleAnchor(bytes8 eventTag, uint256 version) external view returns (BundleAnchor memory) {
        return _anchors[eventTag][version];
    }

    function _knownRoles() internal pure override returns (uint8) {
        return Role.KEYS | Role.RELAYER;
    }

    function _existing(bytes4 keyId) private view returns (KeyRecord storage key) {
        key = _keys[keyId];
        if (key.publicKey == 0) revert UnknownKey(keyId);
    }
}
