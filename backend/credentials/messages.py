"""What the signer is asked and what it answers: JSON with strict fields; bytes are lower-case hex."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

HEX_PREFIX = "0x"
MAX_ORDER_SECRET_CHARACTERS = 200


def _from_hex(value: object) -> object:
    if not isinstance(value, str):
        return value
    digits = value.removeprefix(HEX_PREFIX)
    if not (digits.isascii() and digits.isalnum()):  # fromhex would skip spaces
        raise ValueError("must be hex digits")
    return bytes.fromhex(digits)


def _sized(size: int) -> AfterValidator:
    def check(value: bytes) -> bytes:
        if len(value) != size:
            raise ValueError(f"must be {size} bytes, so {2 * size} hex digits")
        return value

    return AfterValidator(check)


_HEX = (BeforeValidator(_from_hex), PlainSerializer(bytes.hex, return_type=str))
HexBytes = Annotated[bytes, *_HEX]
Hex4 = Annotated[bytes, *_HEX, _sized(4)]
Hex8 = Annotated[bytes, *_HEX, _sized(8)]
Hex16 = Annotated[bytes, *_HEX, _sized(16)]
Hex20 = Annotated[bytes, *_HEX, _sized(20)]
Hex32 = Annotated[bytes, *_HEX, _sized(32)]
Hex64 = Annotated[bytes, *_HEX, _sized(64)]
Hex65 = Annotated[bytes, *_HEX, _sized(65)]
Uint32 = Annotated[int, Field(ge=0, lt=1 << 32, strict=True)]
Uint64 = Annotated[int, Field(ge=0, lt=1 << 63, strict=True)]  # as far as the database's integers go


class Message(BaseModel):
    """Frozen, and no field but the named ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BindingRequest(Message):
    """SPEC 4.1 and 4.2. Without `owner_signature` the custody key signs, if `order_secret` fits."""

    device_key: Hex32
    number: Uint32
    epoch: Uint64
    expiry: Uint64  # Unix seconds
    possession_signature: Hex64
    owner_signature: Hex65 | None = None
    order_secret: str | None = Field(default=None, max_length=MAX_ORDER_SECRET_CHARACTERS, repr=False)


class IssuedCredential(Message):
    """A credential that is stored. Times are Unix seconds; valid from `not_before` until before `expires`."""

    credential: HexBytes
    ticket_id: UUID
    token_id: int
    serial: int
    binding_number: int
    event_id: UUID
    event_index: int
    event_tag: Hex8
    platform_id: Hex16
    not_before: int
    expires: int


class EventKeys(Message):
    """The public halves of an event's newest keys."""

    issuing_public_key: Hex32
    bundle_public_key: Hex32
    custody_address: Hex20


class Ping(Message):
    """Are you there?"""

    op: Literal["ping"] = "ping"


class PrepareEvent(Message):
    """Make the keys of an event, if they are not there."""

    op: Literal["prepare_event"] = "prepare_event"
    event_id: UUID


class RotateKey(Message):
    """Make the key that follows `current` (a public key); a repeat gives the same one."""

    op: Literal["rotate_key"] = "rotate_key"
    event_id: UUID
    role: Literal["issuing", "bundle"]
    current: Hex32


class Issue(Message):
    """Bind a device to a ticket and issue its credential."""

    op: Literal["issue"] = "issue"
    ticket_id: UUID
    binding: BindingRequest


class SignBundle(Message):
    """Sign the bundle that follows the message as raw bytes (SPEC 5.2)."""

    op: Literal["sign_bundle"] = "sign_bundle"
    event_id: UUID


class SignClaim(Message):
    """Sign with custody's key that a ticket goes to `to` (SPEC 10.9); `deadline` in Unix seconds."""

    op: Literal["sign_claim"] = "sign_claim"
    ticket_id: UUID
    to: Hex20
    epoch: Uint64
    deadline: Uint64
    order_secret: str = Field(max_length=MAX_ORDER_SECRET_CHARACTERS, repr=False)


class Call(Message):
    """What a client sends: a request, and the language of whoever will read a refusal."""

    language: Annotated[str, Field(max_length=8)] = "en"
    request: Annotated[Ping | PrepareEvent | RotateKey | Issue | SignBundle | SignClaim, Field(discriminator="op")]


class PublicKeyAnswer(Message):
    public_key: Hex32


class SignatureAnswer(Message):
    signature: Hex65


class TrailerAnswer(Message):
    """What follows a bundle's encoding: key id 4, signature 64."""

    trailer: HexBytes


class Done(Message):
    """Nothing more to say."""


class RefusedAnswer(Message):
    """A `backend.errors.Refusal` on its way through the socket."""

    code: str
    sentence: str
    details: dict[str, Any] = {}


class Reply(Message):
    """What the signer sends: exactly one of the two."""

    answer: dict[str, Any] | None = None
    refused: RefusedAnswer | None = None
