"""Incidents, who is told of them, and what sensors say."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import BigId, Hash32, Millis


class Incident(Base):
    """Something that people are told of: a fault we noticed, a word of the operators, or work they announced."""

    __tablename__ = "incidents"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))  # fault | posted | maintenance
    component: Mapped[str] = mapped_column(String(16))  # see backend.ops.incidents.GROUP
    cause: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(8))  # waits | down
    facts: Mapped[dict[str, Any]]  # of its sentence, as last seen
    opened_ms: Mapped[int] = mapped_column(Millis)  # of maintenance: when the work begins
    until_ms: Mapped[int | None] = mapped_column(Millis)  # when announced work ends
    closed_ms: Mapped[int | None] = mapped_column(Millis)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # written after it closed
    __table_args__ = (
        Index(
            "uq_incidents_open_fault",  # one at a time, whoever watches
            "component",
            unique=True,
            postgresql_where=text("closed_ms IS NULL AND kind = 'fault'"),
            sqlite_where=text("closed_ms IS NULL AND kind = 'fault'"),
        ),
        Index(None, "opened_ms"),
    )


class IncidentNote(Base):
    """What happened in an incident, in order: its timeline, and what subscribers are sent."""

    __tablename__ = "incident_notes"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    at_ms: Mapped[int] = mapped_column(Millis)
    what: Mapped[str] = mapped_column(String(12))  # opened | changed | said | closed
    cause: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict[str, Any]]
    text_en: Mapped[str | None] = mapped_column(Text)  # operators' own words
    text_zh: Mapped[str | None] = mapped_column(Text)


class Subscriber(Base):
    """Who asked to be told of incidents. The address is personal: encrypted, and gone when they unsubscribe."""

    __tablename__ = "subscribers"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(8))  # mail | webhook
    address_mark: Mapped[bytes] = mapped_column(Hash32)  # keyed hash: the same address is found again
    address_box: Mapped[bytes]  # encrypted with a key of the installation (backend.notices.subscribers)
    language: Mapped[str] = mapped_column(String(2))
    state: Mapped[str] = mapped_column(String(10))  # asked | confirmed
    asked_ms: Mapped[int] = mapped_column(Millis)
    confirmed_ms: Mapped[int | None] = mapped_column(Millis)
    __table_args__ = (UniqueConstraint("channel", "address_mark"), Index(None, "state", "id"))


class SensorReading(Base):
    """What a sensor of the machine room said last, and what it should say (backend.ops.sensors)."""

    __tablename__ = "sensor_readings"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[float | None] = mapped_column(Float)  # none: there is a fault
    fault: Mapped[str | None] = mapped_column(String(10))  # of the sensor itself: quiet | bad_answer
    unit: Mapped[str] = mapped_column(String(12))
    low: Mapped[float | None] = mapped_column(Float)
    high: Mapped[float | None] = mapped_column(Float)
    read_ms: Mapped[int] = mapped_column(Millis)
    outside_ms: Mapped[int | None] = mapped_column(Millis)  # since when it is outside its limits, or silent
