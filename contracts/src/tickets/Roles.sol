// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoles} from "../interfaces/IRoles.sol";

/// @dev The role bits (SPEC 8.4).
library Role {
    uint8 internal constant ISSUER = 1; // mints
    uint8 internal constant RELAYER = 2; // submits and consents to moves, claims, revokes, suspends; anchors bundles
    uint8 internal constant GATE = 4; // redeems
    uint8 internal constant KEYS = 8; // adds and revokes keys
    uint8 internal constant PAUSER = 16; // stops
    uint8 internal constant SETTLER = 32; // settles sales paid outside the chain
}

/// @dev One admin, two-step and delayed; roles as a bit field per account.
abstract contract Roles is IRoles {
    /// @dev Seconds between the offer of the admin's role and the first moment it can be accepted.
    uint256 internal constant ADMIN_DELAY = 2 days;

    address private _admin;
    address private _pendingAdmin;
    uint64 private _pendingFrom;
    mapping(address account => uint8) private _roles;

    modifier onlyAdmin() {
        if (msg.sender != _admin) revert NotAdmin(msg.sender);
        _;
    }

    modifier onlyRole(uint8 role) {
        _requireRole(msg.sender, role);
        _;
    }

    /// @inheritdoc IRoles
    function admin() public view returns (address) {
        return _admin;
    }

    /// @inheritdoc IRoles
    function pendingAdmin() external view returns (address account, uint256 validFrom) {
        return (_pendingAdmin, _pendingFrom);
    }

    /// @inheritdoc IRoles
    function rolesOf(address account) external view returns (uint8) {
        return _roles[account];
    }

    /// @inheritdoc IRoles
    function grantRoles(address account, uint8 roles) external onlyAdmin {
        _grant(account, roles);
    }

    /// @inheritdoc IRoles
    function revokeRoles(address account, uint8 roles) external onlyAdmin {
        _checkRoles(roles);
        _setRoles(account, _roles[account] & ~roles);
    }

    /// @inheritdoc IRoles
    function proposeAdmin(address account) external onlyAdmin {
        uint64 from = account == address(0) ? 0 : uint64(block.timestamp + ADMIN_DELAY);
        (_pendingAdmin, _pendingFrom) = (account, from);
        emit AdminProposed(account, from);
    }

    /// @inheritdoc IRoles
    function acceptAdmin() external {
        if (msg.sender != _pendingAdmin) revert NotPendingAdmin(msg.sender);
        if (block.timestamp < _pendingFrom) revert AdminDelayRunning(_pendingFrom);
        (_pendingAdmin, _pendingFrom) = (address(0), 0);
        _setAdmin(msg.sender);
    }

    function _setAdmin(address account) internal {
        if (account == address(0)) revert ZeroAddress();
        emit AdminChanged(_admin, account);
        _admin = account;
    }

    function _grant(address account, uint8 roles) internal {
        _checkRoles(roles);
        if (account == address(0)) revert ZeroAddress();
        _setRoles(account, _roles[account] | roles);
    }

    function _requireRole(address account, uint8 role) internal view {
        if (!_hasRole(account, role)) revert MissingRole(account, role);
    }

    function _hasRole(address account, uint8 role) internal view returns (bool) {
        return _roles[account] & role != 0;
    }

    /// @dev The roles that the contract has work for.
    function _knownRoles() internal pure virtual returns (uint8);

    function _checkRoles(uint8 roles) private pure {
        if (roles == 0 || roles & ~_knownRoles() != 0) revert UnknownRoles(roles);
    }

    function _setRoles(address account, uint8 roles) private {
        _roles[account] = roles;
        emit RolesChanged(account, roles);
    }
}
