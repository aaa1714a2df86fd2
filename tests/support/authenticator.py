"""A device that holds one passkey, in software: what it signs can be right, or wrong on purpose."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40  # flags of authenticator data (level 2, section 6.1)
COORDINATE_BYTES = 32


@dataclass
class Authenticator:
    """`origin` and `rp_id` are what the browser and the device say; `counts` as devices do that count signatures."""

    origin: str
    rp_id: str
    seed: int = 1
    count: int = 0
    verifies: bool = True
    key: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = ec.derive_private_key(self.seed, ec.SECP256R1())

    @property
    def credential_id(self) -> bytes:
        return hashlib.sha256(self.seed.to_bytes(32, "big")).digest()

    def create(self, options: str) -> str:
        """The browser's answer to creation options, as JSON."""
        public = self.key.public_key().public_numbers()
        point = (one.to_bytes(COORDINATE_BYTES, "big") for one in (public.x, public.y))
        x, y = point
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        identity = len(self.credential_id).to_bytes(2, "big") + self.credential_id
        said = self._data(ATTESTED) + bytes(16) + identity + cose
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": said})
        client = self._client("webauthn.create", options)
        return self._answer({"clientDataJSON": client, "attestationObject": attestation})

    def get(self, options: str) -> str:
        """The browser's answer to request options, as JSON."""
        self.count += 1 if self.count else 0
        client, said = self._client("webauthn.get", options), self._data(0)
        signature = self.key.sign(said + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer({"clientDataJSON": client, "authenticatorData": said, "signature": signature})

    def _data(self, flags: int) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: str) -> bytes:
        said = {"type": kind, "challenge": json.loads(options)["challenge"], "origin": self.origin}
        return json.dumps(said).encode()

    def _answer(self, response: dict[str, bytes]) -> str:
        identity = text_of(self.credential_id)
        given: dict[str, Any] = {"id": identity, "rawId": identity, "type": "public-key", "clientExtensionResults": {}}
        return json.dumps({**given, "response": {name: text_of(value) for name, value in response.items()}})


def text_of(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
