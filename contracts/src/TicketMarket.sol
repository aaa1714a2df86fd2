// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEventTickets} from "./interfaces/IEventTickets.sol";
import {ITicketMarket, Order, OrderState} from "./interfaces/ITicketMarket.sol";
import {Asks} from "./market/Asks.sol";
import {Role} from "./tickets/Roles.sol";

/// @title Resale at the organiser's terms, and primary sales
/// @dev It trusts no tickets contract with anybody's money but that of who names it: what an order is owed is fixed
/// when it is paid.
contract TicketMarket is Asks {
    /// @dev After this many seconds a payer may take back what nobody released or refunded.
    uint256 private constant RECLAIM_AFTER = 30 days;

    mapping(bytes32 orderRef => Order) private _orders;

    /// @inheritdoc ITicketMarket
    function payOrder(address tickets, uint8 class, uint256 amount, bytes32 salt) external payable nonReentrant {
        bytes32 ref = orderRefOf(tickets, class, amount, salt);
        if (_orders[ref].state != OrderState.None) revert OrderStateInvalid(ref, _orders[ref].state);
        if (amount == 0) revert AmountInvalid(amount);
        (address token, uint256 units) = _units(tickets, class, amount);
        if (units > type(uint96).max) revert AmountInvalid(amount);
        (,,, bool active) = IEventTickets(tickets).paymentOf(class);
        if (!active) revert SaleClosed(tickets, class);
        _orders[ref] = Order({
            payer: msg.sender,
            paidAt: uint40(block.timestamp),
            state: OrderState.Held,
            token: token,
            units: uint96(units),
            tickets: tickets,
            class: class
        });
        emit OrderPaid(ref, tickets, msg.sender, class, amount);
        _collect(token, units, msg.value);
    }

    /// @inheritdoc ITicketMarket
    function releaseOrders(bytes32[] calldata orderRefs) external {
        if (orderRefs.length == 0) revert EmptyList();
        for (uint256 i; i < orderRefs.length; ++i) {
            Order storage order = _settlersOrder(orderRefs[i]);
            order.state = OrderState.Released;
            (,, address payee,) = IEventTickets(order.tickets).paymentOf(order.class);
            emit OrderReleased(orderRefs[i], payee);
            _credit(order.token, payee, order.units);
        }
    }

    /// @inheritdoc ITicketMarket
    function refundOrders(bytes32[] calldata orderRefs) external {
        if (orderRefs.length == 0) revert EmptyList();
        for (uint256 i; i < orderRefs.length; ++i) _refund(orderRefs[i], _settlersOrder(orderRefs[i]));
    }

    /// @inheritdoc ITicketMarket
    function reclaimOrder(bytes32 orderRef) external {
        Order storage order = _held(orderRef);
        if (msg.sender != order.payer) revert NotPayer(msg.sender);
        uint256 from = order.paidAt + RECLAIM_AFTER;
        if (block.timestamp < from && !IEventTickets(order.tickets).eventInfo().cancelled) revert ReclaimTooEarly(from);
        _refund(orderRef, order);
    }

    /// @inheritdoc ITicketMarket
    function orderOf(bytes32 orderRef) external view returns (Order memory) {
        return _orders[orderRef];
    }

    /// @inheritdoc ITicketMarket
    function orderRefOf(address tickets, uint8 class, uint256 amount, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(tickets, class, amount, salt));
    }

    function _refund(bytes32 ref, Order storage order) private {
        order.state = OrderState.Refunded;
        emit OrderRefunded(ref, order.payer);
        _credit(order.token, order.payer, order.units);
    }

    function _settlersOrder(bytes32 ref) private view returns (Order storage order) {
        order = _held(ref);
        if (IEventTickets(order.tickets).rolesOf(msg.sender) & Role.SETTLER == 0) revert NotSettler(msg.sender);
    }

    function _held(bytes32 ref) private view returns (Order storage order) {
        order = _orders[ref];
        if (order.state != OrderState.Held) revert OrderStateInvalid(ref, order.state);
    }
}
