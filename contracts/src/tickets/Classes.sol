// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClassConfig, ClassInfo, EventConfig, EventInfo, IEventTickets, Policy} from "../interfaces/IEventTickets.sol";
import {Policies} from "../lib/Policies.sol";
import {ClassWord, ClassWords} from "../lib/Words.sol";
import {Role} from "./Roles.sol";
import {TicketStore} from "./TicketStore.sol";

/// @dev The event and its classes: made, changed, stopped, cancelled.
abstract contract Classes is TicketStore {
    /// @dev A stop of moves is marked in every class, so that a move need not read a further slot.
    uint256 internal constant MAX_CLASSES = 64;
    /// @dev Longest grace, in seconds.
    uint256 internal constant MAX_GRACE = 7 days;

    /// @inheritdoc IEventTickets
    function initialize(EventConfig calldata config) external {
        if (_event.initialized) revert AlreadyInitialized();
        if (config.graceSeconds > MAX_GRACE) revert ConfigInvalid("graceSeconds");
        if (bytes(config.name).length == 0) revert ConfigInvalid("name");
        if (config.custody == address(0)) revert ConfigInvalid("custody");
        _event.initialized = true;
        _event.graceSeconds = config.graceSeconds;
        (_name, _symbol) = (config.name, config.symbol);
        _setAdmin(config.admin);
        _setDetails(config.payee, config.description);
        for (uint256 i; i < config.roles.length; ++i) _grant(config.roles[i].account, config.roles[i].roles);
        for (uint256 i; i < config.classes.length; ++i) _addClass(config.classes[i]);
    }

    /// @inheritdoc IEventTickets
    function eventInfo() external view returns (EventInfo memory) {
        EventState memory state = _event;
        return EventInfo({
            eventHash: _eventHash(),
            custody: custody(),
            payee: _payee,
            description: _description,
            graceSeconds: state.graceSeconds,
            classCount: state.classCount,
            stops: state.stops,
            cancelled: state.cancelled,
            batchCount: state.minted,
            highestBatch: state.highest
        });
    }

    /// @inheritdoc IEventTickets
    function classInfo(uint256 class) external view returns (ClassInfo memory info) {
        ClassWord word = _existingClass(class);
        uint256 payment = _payment[class];
        info = ClassInfo({
            label: _label[class],
            capacity: uint32(word.capacity()),
            issued: uint32(word.issued()),
            faceValue: uint40(word.faceValue()),
            capBps: uint16(word.capBps()),
            royaltyBps: uint16(word.royaltyBps()),
            opens: uint40(word.opens()),
            closes: uint40(word.closes()),
            policy: word.policy(),
            maxMoves: uint8(word.maxMoves()),
            halted: word.halted(),
            paymentToken: address(uint160(payment)),
            unitsPerMinor: uint72(payment >> 160),
            currency: bytes3(uint24(payment >> 232))
        });
    }

    /// @inheritdoc IEventTickets
    function paymentOf(uint256 class)
        external
        view
        returns (address token, uint256 unitsPerMinor, address receiver, bool active)
    {
        _existingClass(class);
        uint256 payment = _payment[class];
        active = !_event.cancelled && _event.stops & STOP_MINT == 0;
        return (address(uint160(payment)), uint72(payment >> 160), _payee, active);
    }

    /// @inheritdoc IEventTickets
    function addClass(ClassConfig calldata config) external onlyAdmin {
        if (_event.cancelled) revert CancelledEvent();
        _addClass(config);
    }

    /// @inheritdoc IEventTickets
    function setCapacity(uint256 class, uint32 capacity) external onlyAdmin {
        ClassWord word = _existingClass(class);
        if (capacity < word.issued()) revert CapacityBelowIssued(class, capacity, word.issued());
        _class[class] = word.withCapacity(capacity);
        emit CapacityChanged(class, capacity);
    }

    /// @inheritdoc IEventTickets
    function setTimes(uint256 class, uint40 opens, uint40 closes) external onlyAdmin {
        if (opens >= closes) revert ConfigInvalid("closes");
        _class[class] = _existingClass(class).withTimes(opens, closes);
        emit TimesChanged(class, opens, closes);
        emit BatchMetadataUpdate(0, type(uint256).max);
    }

    /// @inheritdoc IEventTickets
    function setPolicy(uint256 class, Policy policy) external onlyAdmin {
        ClassWord word = _existingClass(class);
        if (!Policies.mayBecome(word.policy(), policy)) revert PolicyChangeRefused(class, word.policy(), policy);
        _class[class] = word.withPolicy(policy);
        emit PolicyChanged(class, policy);
        emit BatchMetadataUpdate(0, type(uint256).max);
    }

    /// @inheritdoc IEventTickets
    function setDetails(address payee, string calldata text) external onlyAdmin {
        _setDetails(payee, text);
        emit ContractURIUpdated();
        emit BatchMetadataUpdate(0, type(uint256).max);
    }

    /// @inheritdoc IEventTickets
    function stop(uint8 what) external onlyRole(Role.PAUSER) {
        _setStops(_event.stops | what, what);
    }

    /// @inheritdoc IEventTickets
    function resume(uint8 what) external onlyAdmin {
        _setStops(_event.stops & ~what, what);
    }

    /// @inheritdoc IEventTickets
    function cancelEvent() external onlyAdmin {
        if (_event.cancelled) revert CancelledEvent();
        _event.cancelled = true;
        _markHalted();
        emit EventCancelled();
        emit ContractURIUpdated();
        emit BatchMetadataUpdate(0, type(uint256).max);
    }

    function _setStops(uint8 stopped, uint8 what) private {
        if (what == 0 || what > (STOP_MINT | STOP_MOVE | STOP_REDEEM)) revert ConfigInvalid("what");
        _event.stops = stopped;
        _markHalted();
        emit StopsChanged(stopped);
    }

    function _markHalted() private {
        bool halted = _event.cancelled || _event.stops & STOP_MOVE != 0;
        uint256 count = _event.classCount;
        for (uint256 class; class < count; ++class) _class[class] = _class[class].withHalted(halted);
    }

    function _setDetails(address payee, string calldata text) private {
        if (payee == address(0)) revert ConfigInvalid("payee");
        (_payee, _description) = (payee, text);
        emit DetailsChanged(payee, text);
    }

    function _addClass(ClassConfig calldata config) private {
        uint256 class = _event.classCount;
        if (class == MAX_CLASSES) revert ConfigInvalid("classes");
        uint256 length = bytes(config.label).length;
        if (length == 0 || length > 31) revert ConfigInvalid("label");
        if (config.capacity == 0) revert ConfigInvalid("capacity");
        if (config.royaltyBps > ClassWords.BPS) revert ConfigInvalid("royaltyBps");
        if (config.opens >= config.closes) revert ConfigInvalid("closes");
        if (config.paymentToken != address(0) && config.unitsPerMinor == 0) revert ConfigInvalid("unitsPerMinor");
        _event.classCount = uint8(class + 1);
        _class[class] = ClassWords.pack(config, custody()).withHalted(_event.stops & STOP_MOVE != 0);
        _payment[class] = uint160(config.paymentToken) | uint256(config.unitsPerMinor) << 160
            | uint256(uint24(config.currency)) << 232;
        _label[class] = config.label;
        emit ClassAdded(class, config);
    }
}
