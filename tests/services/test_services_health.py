"""A process says that it is up, what of its work it cannot do, and how much it does."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from events.store import Unavailable
from services.bootstrap import health as module
from services.bootstrap import running
from services.bootstrap.health import Health
from services.config import Config
from services.embedded.ports import HOST, free_port
from services.settings import read_settings
from services.web.app import make_app
from tests.servers.postgres import TestingPostgres
from tests.services.service_kit import until


async def ask(health: Health, path: str) -> httpx2.Response:
    """The answer of a process with these checks."""
    transport = httpx2.ASGITransport(app=make_app([health.router()]))
    async with httpx2.AsyncClient(transport=transport, base_url="http://placet") as client:
        return await client.get(path)


async def well() -> str | None:
    return None


async def test_a_process_whose_checks_pass_is_ready() -> None:
    health = Health()
    health.check("postgres", well)
    answer = await ask(health, "/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"postgres": "ok"}}


async def test_what_fails_is_named_and_the_rest_stays_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_TIMEOUT_S", 0.05)

    async def lacking() -> str | None:
        return "lacks a topic"

    async def away() -> str | None:
        raise Unavailable("Postgres cannot be reached: refused")

    async def silent() -> str | None:
        await asyncio.Event().wait()
        return None

    health = Health()
    for name, check in (("a", well), ("b", lacking), ("c", away), ("d", silent)):
        health.check(name, check)
    answer = await ask(health, "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "checks": {
            "a": "ok",
            "b": "lacks a topic",
            "c": "Postgres cannot be reached: refused",
            "d": "does not answer in time",
        },
    }
    assert (await ask(health, "/healthz")).status_code == 200


async def test_figures_are_prometheus_text_read_anew_each_time() -> None:
    figures = {"one": 1.0, 'a"b\\c\nd': 2.5}
    health = Health()
    health.gauge(
        "placet_lag", "Waits", lambda: iter([({"group": n}, v) for n, v in figures.items()])
    )
    health.gauge("placet_lag", "Waits", lambda: iter([({"group": "other"}, 7.0)]))
    health.gauge("placet_head", "Reaches", lambda: iter([({}, 3.0)]))
    health.gauge("placet_none", "Nothing yet", lambda: iter([]))
    for expected in (1.0, 9.0):
        figures["one"] = expected
        answer = await ask(health, "/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        families = {one.name: one for one in text_string_to_metric_families(answer.text)}
        assert set(families) == {"placet_lag", "placet_head", "placet_none"}
        samples = {one.labels["group"]: one.value for one in families["placet_lag"].samples}
        assert samples == {"one": expected, 'a"b\\c\nd': 2.5, "other": 7.0}
        assert [one.value for one in families["placet_head"].samples] == [3.0]


@pytest.fixture(scope="module")
async def without_kafka(
    postgres: TestingPostgres, migrated: str
) -> AsyncIterator[httpx2.AsyncClient]:
    """A process that finds its Postgres, but no Kafka, and lets nobody choose who they are."""
    async with postgres.database(template=migrated) as dsn:
        environ = {
            "PLACET_POSTGRES_DSN": dsn,
            "PLACET_KAFKA": f"{HOST}:{free_port()}",
            "PLACET_PORT": str(free_port()),
        }
        settings = read_settings(environ)
        async with (
            running(settings, Config(), ["decision", "queue", "publisher"]),
            httpx2.AsyncClient(base_url=f"http://{HOST}:{settings.port}", timeout=20) as client,
        ):
            yield client


async def test_a_process_without_its_kafka_names_it_and_what_needs_it(
    without_kafka: httpx2.AsyncClient,
) -> None:
    async def told() -> bool:
        answer = await without_kafka.get("/readyz")
        assert answer.status_code == 503
        checks = answer.json()["checks"]
        assert checks["postgres"] == "ok"
        return all(
            checks[name] != "ok" for name in ("kafka", "publisher", "placet.decision.observed")
        )

    await until(told, 30)
    assert (await without_kafka.get("/healthz")).json() == {"status": "up"}


async def test_a_real_process_has_the_figures_that_are_watched(
    without_kafka: httpx2.AsyncClient,
) -> None:
    answer = await without_kafka.get("/metrics")
    families = {one.name for one in text_string_to_metric_families(answer.text)}
    assert {"placet_consumer_lag", "placet_log_head", "placet_log_published"} <= families


async def test_without_the_dev_login_nobody_gets_in(without_kafka: httpx2.AsyncClient) -> None:
    answer = await without_kafka.post("/login", data={"email": "ann@example.com"})
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
    page = await without_kafka.get("/")
    assert page.status_code == 200
    assert 'name="email"' not in page.text
    for path in ("/inbox", "/mailbox"):
        closed = await without_kafka.get(path)
        assert "set-cookie" not in closed.headers
        assert closed.status_code in {303, 401, 403, 404}, path
