"""Tells whether the process is up, whether it can do its work, and how much it does."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import msgspec
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from events.store import Unavailable

Check = Callable[[], Awaitable[str | None]]
"""Returns what is wrong, or None; may raise `Unavailable`."""
Gauge = Callable[[], Iterator[tuple[Mapping[str, str], float]]]
CHECK_TIMEOUT_S = 3.0


class Health:
    """The checks and gauges that the parts of a process bring."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._gauges: dict[str, tuple[str, Gauge]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_Gauges(self._gauges))

    def check(self, name: str, check: Check) -> None:
        """Add something that the process cannot work without."""
        self._checks[name] = check

    def gauge(self, name: str, says: str, gauge: Gauge) -> None:
        """Add a figure; the same name twice adds to the same family."""
        earlier = self._gauges.get(name)
        if earlier is None:
            self._gauges[name] = (says, gauge)
        else:
            first = earlier[1]
            self._gauges[name] = (says, lambda: _both(first, gauge))

    async def problems(self) -> dict[str, str]:
        """Return what the process cannot do now, by name; empty when it is ready."""
        found = await asyncio.gather(*(self._ask(check) for check in self._checks.values()))
        return {name: why for name, why in zip(self._checks, found, strict=True) if why}

    async def _ask(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await check()
        except TimeoutError:
            return "does not answer in time"
        except Unavailable as error:
            return str(error)

    def router(self) -> APIRouter:
        """Return the routes that every process serves."""
        router = APIRouter(tags=["operate"])

        @router.get("/healthz", summary="The process is up")
        async def healthz() -> dict[str, str]:
            return {"status": "up"}

        @router.get(
            "/readyz",
            summary="It can do its work, or names what it cannot",
            responses={200: _ready("Ready."), 503: _ready("Not ready.")},
            response_class=Response,
        )
        async def readyz() -> Response:
            problems = await self.problems()
            checks = {name: problems.get(name, "ok") for name in self._checks}
            body = {"ready": not problems, "checks": checks}
            return Response(
                msgspec.json.encode(body),
                status_code=503 if problems else 200,
                media_type="application/json",
            )

        @router.get(
            "/metrics",
            summary="Figures for Prometheus",
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
            response_class=Response,
        )
        async def metrics() -> Response:
            return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

        return router


class _Gauges(Collector):
    def __init__(self, gauges: Mapping[str, tuple[str, Gauge]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Any]:
        """Read every figure now."""
        for name, (says, gauge) in self._gauges.items():
            samples = list(gauge())
            labels = list(samples[0][0]) if samples else []
            family = GaugeMetricFamily(name, says, labels=labels)
            for values, figure in samples:
                family.add_metric([values[label] for label in labels], figure)
            yield family


def _both(first: Gauge, second: Gauge) -> Iterator[tuple[Mapping[str, str], float]]:
    yield from first()
    yield from second()


def _ready(description: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["ready", "checks"],
        "properties": {
            "ready": {"type": "boolean"},
            "checks": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
    return {"description": description, "content": {"application/json": {"schema": schema}}}
