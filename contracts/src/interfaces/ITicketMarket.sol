// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a seller signs (EIP-712, SPEC 8.7). The seller is whoever holds the ticket.
struct Ask {
    address tickets; // the event's contract
    uint256 tokenId;
    uint256 epoch; // of the ticket; a move voids the ask
    uint256 price; // minor units of the class's currency
    address buyer; // who gets the ticket; zero: anybody
    uint256 deadline; // last second at which the ask holds, since 1970
    uint256 counter; // of the seller; raising it voids every ask
}

/// @notice What happened to the money of an order.
enum OrderState {
    None,
    Held,
    Released,
    Refunded
}

/// @notice A primary sale paid on chain.
struct Order {
    address payer;
    uint40 paidAt; // seconds since 1970
    OrderState state;
    address token; // ERC-20; zero: the native coin
    uint96 units; // of the token
    address tickets;
    uint8 class;
}

/// @title Resale at the organiser's terms, and primary sales (SPEC 8.7)
/// @notice Asks are signed, not stored. Prices are in minor units of the class's currency, payment is in its token; cap, royalty
/// and policy are those of the tickets contract. Whoever is owed money fetches it.
interface ITicketMarket {
    // ---------------------------------------------------------------- events

    /// @notice A ticket was sold and paid on chain. `units` of `token` were paid, `royalty` of them to the organiser.
    event AskFilled(
        address indexed tickets,
        uint256 indexed tokenId,
        address indexed seller,
        address to,
        uint256 price,
        address token,
        uint256 units,
        uint256 royalty
    );
    /// @notice A ticket was sold and paid outside the chain, under `paymentRef`.
    event SaleSettled(
        address indexed tickets,
        uint256 indexed tokenId,
        address indexed seller,
        address to,
        uint256 price,
        bytes32 paymentRef
    );
    /// @notice `seller` voided the ask with this digest.
    event AskCancelled(address indexed seller, bytes32 digest);
    /// @notice `seller` voided every ask with a lower counter.
    event CounterRaised(address indexed seller, uint256 counter);
    /// @notice A primary sale was paid: `amount` minor units for a ticket or tickets of `class`. Once per reference.
    event OrderPaid(
        bytes32 indexed orderRef, address indexed tickets, address indexed payer, uint256 class, uint256 amount
    );
    /// @notice The money of an order may be fetched by who paid it.
    event OrderRefunded(bytes32 indexed orderRef, address indexed payer);
    /// @notice The money of an order may be fetched by the organiser.
    event OrderReleased(bytes32 indexed orderRef, address indexed payee);
    /// @notice `account` may fetch `units` more of `token`.
    event Credited(address indexed token, address indexed account, uint256 units);
    /// @notice `account` fetched `units` of `token`, paid to `to`.
    event Withdrawn(address indexed token, address indexed account, address to, uint256 units);

    // ---------------------------------------------------------------- errors

    /// @notice The ask's deadline has passed (seconds since 1970).
    error AskExpired(uint256 deadline);
    /// @notice The seller has raised the counter since.
    error CounterMismatch(address seller, uint256 counter, uint256 given);
    /// @notice The seller cancelled this ask.
    error AskIsCancelled(bytes32 digest);
    /// @notice The ask is for another buyer.
    error NotForBuyer(address buyer, address to);
    /// @notice The signature is not the ticket's holder's.
    error SellerSignatureInvalid(address seller);
    /// @notice Tickets of this class are not paid on chain.
    error NotSoldOnChain(address tickets, uint256 class);
    /// @notice Tickets of this class are not sold any more.
    error SaleClosed(address tickets, uint256 class);
    /// @notice `expected` of the native coin had to come along, in wei; `sent` did.
    error WrongPayment(uint256 expected, uint256 sent);
    /// @notice The token delivered something else than asked for.
    error ShortPayment(address token, uint256 expected, uint256 received);
    /// @notice A list is empty where there must be at least one entry.
    error EmptyList();
    /// @notice There is no price, or one that no token could pay.
    error AmountInvalid(uint256 amount);
    /// @notice This order is in another state than the call needs.
    error OrderStateInvalid(bytes32 orderRef, OrderState state);
    /// @notice Only a settler of the order's event may do this.
    error NotSettler(address account);
    /// @notice Only who paid the order may do this.
    error NotPayer(address account);
    /// @notice The order's money can be reclaimed from this time on (seconds since 1970).
    error ReclaimTooEarly(uint256 reclaimFrom);
    /// @notice There is nothing to fetch.
    error NothingOwed(address token, address account);
    /// @notice The native coin could not be paid to `to`.
    error PaymentFailed(address to);
    /// @notice An address that must not be zero is zero.
    error RecipientMissing();

    // ------------------------------------------------------------- resale

    /// @notice Buys a ticket: pays the price in the class's token from the sender and moves the ticket to `to`.
    /// @param ask What the seller signed.
    /// @param to Who gets the ticket; the ask's buyer if it names one.
    /// @param sellerSignature 65 bytes r, s, v with low s; or what the seller's ERC-1271 contract accepts.
    /// @param consent A relayer's signature over the same digest, where the policy asks for it; else empty.
    function fill(Ask calldata ask, address to, bytes calldata sellerSignature, bytes calldata consent)
        external
        payable;

    /// @notice Moves a ticket that was paid outside the chain, on the seller's ask. Settlers of the event only.
    /// @param paymentRef The payment, for the books.
    function settleFiat(Ask calldata ask, address to, bytes calldata sellerSignature, bytes32 paymentRef) external;

    /// @notice Voids one ask of the sender's.
    function cancelAsk(Ask calldata ask) external;

    /// @notice Voids every ask of the sender's.
    function cancelAllAsks() external;

    /// @notice The counter that the asks of `seller` must carry.
    function counterOf(address seller) external view returns (uint256);

    /// @notice Whether `seller` cancelled the ask with this digest.
    function isCancelled(address seller, bytes32 digest) external view returns (bool);

    /// @notice What the seller of `ask`, and where needed a relayer, must sign.
    function askDigest(Ask calldata ask) external view returns (bytes32);

    /// @notice What filling an ask at `price` minor units costs, and to whom it goes.
    /// @return token ERC-20; zero: the native coin.
    /// @return units Of the token, in all.
    /// @return royalty Of these, the organiser's.
    /// @return receiver The organiser's address.
    function quote(address tickets, uint256 tokenId, uint256 price)
        external
        view
        returns (address token, uint256 units, uint256 royalty, address receiver);

    // ------------------------------------------------------------- primary sales

    /// @notice Pays an order. The reference binds what is paid, so nobody can spend it on another amount.
    /// @param tickets The event's contract.
    /// @param class The class of the tickets ordered.
    /// @param amount Minor units in all.
    /// @param salt 32 bytes that the shop made up for the order.
    function payOrder(address tickets, uint8 class, uint256 amount, bytes32 salt) external payable;

    /// @notice The reference of an order: keccak256(abi.encode(tickets, class, amount, salt)).
    function orderRefOf(address tickets, uint8 class, uint256 amount, bytes32 salt) external pure returns (bytes32);

    /// @notice An order by its reference.
    function orderOf(bytes32 orderRef) external view returns (Order memory);

    /// @notice Lets the organiser have the money of orders that were delivered. Settlers of the event only.
    function releaseOrders(bytes32[] calldata orderRefs) external;

    /// @notice Lets the payers have the money of orders back. Settlers of the event only.
    function refundOrders(bytes32[] calldata orderRefs) external;

    /// @notice Takes one's money back when the event was cancelled, or when nobody released or refunded the order in 30 days.
    function reclaimOrder(bytes32 orderRef) external;

    // ------------------------------------------------------------- money

    /// @notice How much of `token` (zero: the native coin) `account` may fetch.
    function owed(address token, address account) external view returns (uint256);

    /// @notice Fetches all of `token` that the sender is owed, to `to`.
    function withdraw(address token, address to) external;
}
