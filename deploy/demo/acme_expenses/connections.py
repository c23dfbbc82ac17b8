"""The open connections of the server, so that a fault can cut one without an answer."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Connections:
    """Open connections by the address of the other end."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.BaseTransport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """The HTTP protocol for uvicorn; its connections are the ones that `cut` knows."""
        connections = self._open

        class CuttableProtocol(HttpToolsProtocol):
            """uvicorn's protocol, which keeps its transport to itself."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client is not None:
                    connections[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    connections.pop(self.client, None)
                super().connection_lost(exc)

        return CuttableProtocol

    def cut(self, client: tuple[str, int]) -> None:
        """Closes the connection to this address, if it is open."""
        transport = self._open.get(client)
        if transport is not None:
            transport.close()
