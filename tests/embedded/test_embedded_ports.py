"""Ports are checked before a server takes them."""

import os
import socket

import pytest

from services.embedded import ports
from services.embedded.errors import LocalServerProblem, PortTaken


def test_a_taken_port_names_the_setting_and_the_process() -> None:
    with socket.socket() as server:
        server.bind((ports.HOST, 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match="PLACET_PORT") as refused:
            ports.claim_port(port, "PLACET_PORT")
        assert refused.value.port == port
        assert refused.value.pid == os.getpid()


def test_a_free_wanted_port_is_kept() -> None:
    port = ports.free_port()
    assert ports.claim_port(port, "PLACET_PORT") == port


def test_a_port_of_a_connection_that_lingers_counts_as_free() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        server.bind((ports.HOST, 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection((ports.HOST, port)):
            accepted, _ = server.accept()
            accepted.close()  # the server's side closes first, and so keeps TIME_WAIT
    assert ports.is_free(port)


def test_a_found_port_is_free_and_not_one_for_outgoing_connections() -> None:
    lowest = ports._lowest_ephemeral()
    for _ in range(20):
        port = ports.free_port()
        assert ports.is_free(port)
        assert port < max(lowest, 16_000)


def test_when_no_port_is_free_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: False)
    with pytest.raises(LocalServerProblem, match="No free port"):
        ports.free_port()
