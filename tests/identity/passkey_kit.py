"""A security key in software, and a Placet that asks for it."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from webauthn import base64url_to_bytes
from webauthn.helpers import bytes_to_base64url

from events.approval import AppliedPolicy, Assurance, Seat, Step
from services.decision.forms import forms_router
from services.identity.passkeys import Passkeys
from services.queue.pages.passkeys import passkeys_router
from services.web.app import make_app
from tests.pages.fakes import JOHN, Placet

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def demanding(assurance: Assurance) -> AppliedPolicy:
    """A policy under which John decides, if it is known so well that it is him."""
    seats = (Seat(person=JOHN),)
    step = Step(name="", rule="any", needed=1, deny=1, seats=seats)
    return AppliedPolicy(name="payouts", version=1, steps=(step,), assurance=assurance)


def app_of(placet: Placet, passkeys: Passkeys) -> FastAPI:
    """The application, with passkeys."""
    forms = forms_router(
        placet.answering,
        placet.changing,
        placet.world,
        placet.pages,
        placet.sessions,
        placet.people,
        placet.people,
        placet.world.clock,
        passkeys,
    )
    app = make_app([forms, passkeys_router(placet.pages, passkeys)])
    app.router.routes.extend(placet.app.router.routes)
    return app


@dataclass
class SecurityKey:
    """Makes one credential, and signs with it whatever it is told."""

    origin: str
    host: str = "localhost"
    flags: int = PRESENT | VERIFIED
    counter: int = 1
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def _data(self, flags: int) -> bytes:
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin}
        return json.dumps({**said, "crossOrigin": False}).encode()

    def makes(self, options: str, **changed: Any) -> str:
        """What a browser sends of a new passkey."""
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps(
            {
                1: 2,
                3: -7,
                -1: 1,
                -2: numbers.x.to_bytes(32, "big"),
                -3: numbers.y.to_bytes(32, "big"),
            }
        )
        data = self._data(self.flags | ATTESTED)
        data += bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", changed.pop("challenge", challenge_in(options)))
        return self._sent({"clientDataJSON": client, "attestationObject": attestation, **changed})

    def signs(self, options: str, **changed: Any) -> str:
        """What a browser sends of something that was confirmed."""
        self.counter += 1
        data = self._data(self.flags)
        client = self._client("webauthn.get", changed.pop("challenge", challenge_in(options)))
        signed = data + hashlib.sha256(client).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._sent(
            {
                "clientDataJSON": client,
                "authenticatorData": data,
                "signature": signature,
                **changed,
            }
        )

    def _sent(self, response: dict[str, bytes]) -> str:
        name = bytes_to_base64url(self.id)
        return json.dumps(
            {
                "id": name,
                "rawId": name,
                "type": "public-key",
                "response": {key: bytes_to_base64url(value) for key, value in response.items()},
                "clientExtensionResults": {},
            }
        )


def challenge_in(options: str) -> str:
    """The challenge, as a browser repeats it."""
    challenge = json.loads(options)["challenge"]
    assert len(base64url_to_bytes(challenge)) >= 32
    return str(challenge)
