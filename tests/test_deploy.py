"""What `deploy/` says must be what the code says: services, settings and topics."""

import re
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from events.kafka.topics import TOPICS
from services.settings import SERVICES, read_settings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
OTHERS = {"postgres", "kafka", "migrate", "front", "demo"}


def test_compose_runs_every_service_and_no_other() -> None:
    assert set(COMPOSE["services"]) == set(SERVICES) | OTHERS


def test_each_service_of_compose_runs_itself() -> None:
    for name in SERVICES:
        assert COMPOSE["services"][name]["command"] == ["run", name]


def test_compose_sets_what_the_code_reads_and_nothing_else() -> None:
    source = (ROOT / "services" / "settings.py").read_text("utf-8")
    known = set(re.findall(r'"(PLACET_[A-Z_]+)"', source))
    for name in SERVICES:
        given = {key for key in COMPOSE["services"][name]["environment"] if "PLACET_" in key}
        assert given <= known
        assert {"PLACET_POSTGRES_DSN", "PLACET_KAFKA"} <= given


def test_a_process_starts_with_what_compose_sets(tmp_path: Path) -> None:
    config = tmp_path / "placet.yaml"
    config.write_text("sources: []\n")
    environment = dict(COMPOSE["services"]["decision"]["environment"])
    environment |= {
        "PLACET_BOOTSTRAP_KEY": "0123456789abcdef",
        "PLACET_CONFIG": str(config),
        "PLACET_DEV_LOGIN": "0",
    }
    assert read_settings(environment).port == 8080


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


def test_the_front_sends_changes_to_decision_and_the_rest_to_queue(tmp_path: Path) -> None:
    conf = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    assert "proxy_pass http://queue:8080;" in conf
    assert "proxy_pass http://decision:8080;" in conf
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        pytest.skip("needs nginx to check its configuration")
    site = re.sub(r"http://(queue|decision|poller):8080", "http://127.0.0.1:8080", conf)
    (tmp_path / "site.conf").write_text(site)
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; "
        f"include {tmp_path}/site.conf; }}"
    )
    checked = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-c", str(whole)], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode()
