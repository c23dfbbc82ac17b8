"""A running Placet that many fault tests harm one after the other: what stands must still stand.

Every process speaks through a proxy whose connections a test may cut. The history goes on from
test to test, and each checks all of it: a fault that shows late is still found.
"""

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from tests.faults.collecting import collect, quiet
from tests.faults.evidence import Evidence
from tests.faults.finding import Kind
from tests.faults.ground import Ground
from tests.faults.history import findings, report
from tests.faults.load import APPROVERS, BY_TWO, Load
from tests.faults.processes import Deployment, Service
from tests.faults.told import Telling
from tests.servers.tcp_proxy import TcpProxy

SERVICES = ("decision", "publisher", "projector")
TWO_OF_THEM = f"""
name: two-of-them
version: 1
applies_to: {{types: [{BY_TWO}]}}
steps: [{{name: both, approvers: [record.approvers], rule: 2}}]
fallback: [{APPROVERS[0]}]
"""
"""What part of the load is held to: one answer there does not settle it."""


class Site:
    """Services, their Postgres and their broker; `sound` tells that the last test left it whole.

    `to_postgres` and `to_kafka` are the proxies; the embedded broker has none.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.telling = Telling()
        self.sound = True
        self.to_postgres = TcpProxy(ground.postgres.port)
        route = ground.broker.proxy_route
        self.to_kafka: TcpProxy | None = None
        kafka = None
        if route is not None:
            self.to_kafka = TcpProxy(
                route.target_port, target_host=route.target_host, listen_port=route.listen_port
            )
            kafka = route.bootstrap
        dsn = _through(ground.dsn, self.to_postgres.port)
        # A second publisher waits for the first to lose its lead.
        self._services: Deployment = ground.deployment(
            *SERVICES, "publisher-2", dsn=dsn, kafka=kafka, PLACET_CONFIG=_config(ground.folder)
        )
        self._open = AsyncExitStack()

    def __getitem__(self, name: str) -> Service:
        return self._services[name]

    def load(self, seed: int, *, approvals: int = 200, pause: float = 0.1) -> Load:
        """Return clients of the decision service."""
        url = self["decision"].url
        return Load(url, self.telling, seed=seed, approvals=approvals, pause=pause)

    async def holds(self, *, allowed: frozenset[Kind] = frozenset()) -> Evidence:
        """Wait until everything is carried, and require that nothing is wrong with any of it.

        What is `allowed` makes the site one that no later test can use.
        """
        await self._services.ready()
        await quiet(self.ground.dsn, self.telling.commands)
        evidence = await collect(
            self.ground.dsn, self.ground.broker.bootstrap, self.telling.commands
        )
        found = findings(evidence)
        wrong = [one for one in found if one.kind not in allowed]
        assert not wrong, f"{report(wrong)}\n{self.telling.counted()}"
        self.sound = not found
        return evidence

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.to_postgres)
            if self.to_kafka is not None:
                await stack.enter_async_context(self.to_kafka)
            await stack.enter_async_context(self._services)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def logs(self) -> str:
        """Return the end of each service's log."""
        return self._services.logs()


def _config(folder: Path) -> str:
    (folder / "two-of-them.yaml").write_text(TWO_OF_THEM, "utf-8")
    file = folder / "placet.yaml"
    file.write_text("policies: [two-of-them.yaml]\n", "utf-8")
    return str(file)


def _through(dsn: str, port: int) -> str:
    parts = urlsplit(dsn)
    user, _, _ = parts.netloc.rpartition(":")
    return urlunsplit(parts._replace(netloc=f"{user}:{port}"))
