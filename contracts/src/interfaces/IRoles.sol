// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who may do what (SPEC 8.4)
/// @notice One admin, handed over in two steps with a delay, and working roles that can't do one another's work.
interface IRoles {
    /// @notice The roles of `account` are now `roles` (a bit field, SPEC 8.4).
    event RolesChanged(address indexed account, uint8 roles);
    /// @notice `pending` may take over as admin from `validFrom` (seconds since 1970) on; zeros: the offer was withdrawn.
    event AdminProposed(address indexed pending, uint256 validFrom);
    /// @notice The admin changed.
    event AdminChanged(address indexed previous, address indexed current);

    /// @notice `account` is not the admin.
    error NotAdmin(address account);
    /// @notice `account` lacks the role (one bit, SPEC 8.4) that the call needs.
    error MissingRole(address account, uint8 role);
    /// @notice `roles` holds bits that this contract has no use for, or none at all.
    error UnknownRoles(uint8 roles);
    /// @notice An address that must not be zero is zero.
    error ZeroAddress();
    /// @notice `account` is not the one the admin's role was offered to.
    error NotPendingAdmin(address account);
    /// @notice The hand-over can be accepted from `validFrom` on (seconds since 1970).
    error AdminDelayRunning(uint256 validFrom);

    /// @notice The admin's address.
    function admin() external view returns (address);

    /// @notice The open proposal: who, and from when it can be accepted (seconds since 1970); zeros if none.
    function pendingAdmin() external view returns (address account, uint256 validFrom);

    /// @notice The roles of `account` as a bit field (SPEC 8.4).
    function rolesOf(address account) external view returns (uint8);

    /// @notice Adds `roles` to those of `account`. Admin only.
    function grantRoles(address account, uint8 roles) external;

    /// @notice Takes `roles` away from `account`, at once. Admin only.
    function revokeRoles(address account, uint8 roles) external;

    /// @notice Offers the admin's role to `account`; it may accept after the delay. Replaces an open offer; zero withdraws it. Admin only.
    function proposeAdmin(address account) external;

    /// @notice Takes over as admin. Only the one it was offered to, and only after the delay.
    function acceptAdmin() external;
}
