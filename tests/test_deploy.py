"""What `deploy/` says must be what the code says: services, settings and topics."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from events.kafka.topics import TOPICS
from services.embedded.ports import free_port
from services.settings import SERVICES, read_settings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
KNOWN = frozenset(
    re.findall(r'"(PLACET_[A-Z_]+)"', (ROOT / "services" / "settings.py").read_text("utf-8"))
)
ELSEWHERE = {"PLACET_HOST", "PLACET_EMBEDDED_BROKER", "PLACET_DATA_DIR", "PLACET_DEMO_PORT"}
"""Said by the image, and what is for `placet up`."""
OTHERS = {"postgres", "kafka", "migrate", "front", "demo"}


def test_compose_runs_every_service_and_no_other() -> None:
    assert set(COMPOSE["services"]) == set(SERVICES) | OTHERS


def test_each_service_of_compose_runs_itself() -> None:
    for name in SERVICES:
        assert COMPOSE["services"][name]["command"] == ["run", name]


def test_compose_lets_every_setting_be_set_and_nothing_else() -> None:
    for name in SERVICES:
        given = {key for key in COMPOSE["services"][name]["environment"] if "PLACET_" in key}
        assert given == KNOWN - ELSEWHERE


def test_the_table_of_settings_has_every_setting_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    _, _, table = readme.partition("| Setting | Means | Default |")
    rows = [line.split("|")[1] for line in table.strip().split("\n\n")[0].splitlines()]
    listed = set(re.findall(r"`([A-Z_]+)`", " ".join(rows)))
    assert listed == KNOWN | {"FORWARDED_ALLOW_IPS", "PLACET_URL", "PLACET_KEY"}


def test_the_services_of_compose_believe_the_front_and_it_lets_no_callers_word_through() -> None:
    conf = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for name in SERVICES:
        assert COMPOSE["services"][name]["environment"]["FORWARDED_ALLOW_IPS"] == "*"
        assert "ports" not in COMPOSE["services"][name], "nobody but the front reaches it"
    # In one place for all: a location that set one of its own would lose the others.
    assert re.findall(r"^ *proxy_set_header .*$", conf, re.MULTILINE) == [
        "    proxy_set_header Host $http_host;",
        "    proxy_set_header X-Forwarded-For $remote_addr;",
        "    proxy_set_header X-Forwarded-Proto $scheme;",
    ]


def test_a_process_starts_with_what_compose_sets(tmp_path: Path) -> None:
    config = tmp_path / "placet.yaml"
    config.write_text("sources: []\n")
    environment = {
        # As compose puts it in where nothing is set.
        key: re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", text)
        for key, text in COMPOSE["services"]["decision"]["environment"].items()
    }
    environment |= {"PLACET_BOOTSTRAP_KEY": "0123456789abcdef", "PLACET_CONFIG": str(config)}
    settings = read_settings(environment)
    assert (settings.port, settings.dev_login, settings.oidc) == (8080, False, None)
    assert settings.public_url == "http://localhost:8080"


def test_the_list_of_topics_is_the_table_in_the_code() -> None:
    listed = yaml.safe_load((ROOT / "deploy" / "topics.yaml").read_text("utf-8"))["topics"]
    assert listed == [asdict(topic) for topic in TOPICS]


def test_kafka_in_compose_makes_no_topic_by_accident() -> None:
    kafka = COMPOSE["services"]["kafka"]["environment"]
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_every_service_waits_for_the_migration_and_is_asked_whether_it_is_ready() -> None:
    for name in SERVICES:
        service = COMPOSE["services"][name]
        assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert "/readyz" in service["healthcheck"]["test"][-1]


def test_the_image_is_not_run_as_root_and_holds_what_the_wheel_is_made_of() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    for package in ("events", "projections", "services"):
        assert f"COPY {package} {package}" in DOCKERFILE
    assert "--require-hashes -r runtime.txt" in DOCKERFILE


BEHIND = ("decision", "queue", "poller", "webhooks", "people", "mcp")
WHERE = [
    ("GET", "/v1/approvals", "queue"),
    ("GET", "/inbox", "queue"),
    ("POST", "/v1/approvals", "decision"),
    ("POST", "/v1/approvals/x/decision", "decision"),
    ("POST", "/v1/notify-operator", "decision"),
    ("GET", "/api/approvals/x", "decision"),
    ("POST", "/api/issues/x/interactions", "decision"),
    ("POST", "/v1/sources/acme/webhook", "poller"),
    ("GET", "/v1/webhooks", "webhooks"),
    ("POST", "/v1/webhooks", "webhooks"),
    ("DELETE", "/v1/webhooks/x", "webhooks"),
    ("GET", "/v1/people", "people"),
    ("POST", "/v1/people/import", "people"),
    ("DELETE", "/v1/delegations/x", "people"),
    ("GET", "/scim/v2/Users", "people"),
    ("POST", "/scim/v2/Groups", "people"),
    ("POST", "/mcp", "mcp"),
]


@contextmanager
def named_servers() -> Iterator[Mapping[str, int]]:
    """Servers that answer everything with the name of the service they stand for."""
    with ExitStack() as stack:
        ports = {}
        for name in BEHIND:

            class Named(BaseHTTPRequestHandler):
                said = name.encode()

                def answer(self) -> None:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(self.said)))
                    self.end_headers()
                    self.wfile.write(self.said)

                do_GET = do_POST = do_DELETE = answer  # noqa: N815 # the names that it is called by

                def log_message(self, *_: object) -> None:
                    pass

            server = ThreadingHTTPServer(("127.0.0.1", 0), Named)
            stack.callback(server.server_close)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            ports[name] = server.server_port
        yield ports


def test_the_front_sends_each_call_to_the_service_that_answers_it(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        pytest.skip("needs nginx to try its configuration")
    conf, front = (ROOT / "deploy" / "nginx.conf").read_text("utf-8"), free_port()
    with named_servers() as ports:
        for name, port in ports.items():
            assert f"http://{name}:8080" in conf
            conf = conf.replace(f"http://{name}:8080", f"http://127.0.0.1:{port}")
        (tmp_path / "site.conf").write_text(
            conf.replace("listen 8080", f"listen 127.0.0.1:{front}")
        )
        whole = tmp_path / "nginx.conf"
        temporary = " ".join(
            f"{kind}_temp_path {tmp_path}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        whole.write_text(
            f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} "
            f"http {{ access_log off; {temporary} include {tmp_path}/site.conf; }}"
        )
        server = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(whole)])
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{front}") as client:
                until_it_answers(client)
                found = [(*one[:2], client.request(*one[:2]).text) for one in WHERE]
        finally:
            server.terminate()
            server.wait(10)
    assert found == WHERE


def until_it_answers(client: httpx2.Client) -> None:
    for _ in range(200):
        try:
            client.get("/")
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not answer")
