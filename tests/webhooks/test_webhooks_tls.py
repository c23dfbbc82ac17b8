import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.outgoing.delivering import Delivering
from services.outgoing.guard import parse_allowed
from tests.webhooks.raw_endpoints import OK, endpoint

NAME = "receiver.example.com"


def certificate(folder: Path, name: str, *, days: int = 1) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate that signs itself; return its file and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


async def here(host: str, port: int) -> Sequence[str]:
    del host, port
    return ["127.0.0.1"]


async def test_tls_is_made_with_the_name_over_the_address_that_was_checked(
    tmp_path: Path,
) -> None:
    public, server = certificate(tmp_path, NAME)
    asked: list[str | None] = []
    server.sni_callback = lambda _, name, __: asked.append(name)
    async with endpoint(OK, tls=server) as receiver:
        sender = Delivering(
            parse_allowed(f"{NAME}:{receiver.port}"),
            resolve=here,
            ssl_context=ssl.create_default_context(cafile=public),
        )
        async with sender:
            for _ in range(2):
                answer = await sender.post(f"https://{NAME}:{receiver.port}/", {}, b"{}")
                assert (answer.status, answer.error) == (200, None)
        assert receiver.connections == 1
    assert asked == [NAME]


@pytest.mark.parametrize(("of", "days"), [("other.example.com", 1), (NAME, -1)])
async def test_a_certificate_of_another_name_or_another_time_is_refused(
    tmp_path: Path, of: str, days: int
) -> None:
    public, server = certificate(tmp_path, of, days=days)
    async with endpoint(OK, tls=server) as receiver:
        sender = Delivering(
            parse_allowed(f"{NAME}:{receiver.port}"),
            resolve=here,
            ssl_context=ssl.create_default_context(cafile=public),
        )
        async with sender:
            answer = await sender.post(f"https://{NAME}:{receiver.port}/", {}, b"{}")
        assert receiver.requests == []
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("Its certificate is not accepted: ")


async def test_a_certificate_that_nobody_trusts_is_refused_by_default(tmp_path: Path) -> None:
    _, server = certificate(tmp_path, NAME)
    async with endpoint(OK, tls=server) as receiver:
        allowed = parse_allowed(f"{NAME}:{receiver.port}")
        async with Delivering(allowed, resolve=here) as sender:
            answer = await sender.post(f"https://{NAME}:{receiver.port}/", {}, b"{}")
        assert receiver.requests == []
    assert answer.error is not None
    assert answer.error.startswith("Its certificate is not accepted: ")


async def test_an_endpoint_that_speaks_no_tls_is_told_so() -> None:
    async with endpoint(OK) as receiver:
        allowed = parse_allowed(f"{NAME}:{receiver.port}")
        async with Delivering(allowed, resolve=here, timeout_s=0.5) as sender:
            answer = await sender.post(f"https://{NAME}:{receiver.port}/", {}, b"{}")
    assert answer.status is None
    assert answer.error is not None


async def test_an_endpoint_that_does_not_end_its_tls_holds_no_connection_open(
    tmp_path: Path,
) -> None:
    """To part gently would wait for its word for half a minute."""
    public, server = certificate(tmp_path, NAME)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def accepted_and_left(plug: socket.socket) -> None:
        there, _ = plug.accept()
        with server.wrap_socket(there, server_side=True) as agreed:
            agreed.recv(1)
            raw = socket.socket(fileno=agreed.detach())
        with raw:
            raw.settimeout(20)
            with contextlib.suppress(ConnectionError):
                while raw.recv(4096):
                    continue
        loop.call_soon_threadsafe(ended.set)

    with socket.create_server(("127.0.0.1", 0)) as plug:
        port = plug.getsockname()[1]
        answers = asyncio.create_task(asyncio.to_thread(accepted_and_left, plug))
        sender = Delivering(
            parse_allowed(f"{NAME}:{port}"),
            resolve=here,
            timeout_s=1,
            ssl_context=ssl.create_default_context(cafile=public),
        )
        async with sender:
            answer = await sender.post(f"https://{NAME}:{port}/", {}, b"{}")
            assert answer.error == "It gave no answer within 1 s."
            async with asyncio.timeout(20):
                await ended.wait()
            await answers
