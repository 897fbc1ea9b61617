"""The stack keeps to the compose format, hardens what it starts, and names only what exists.

Docker itself is not needed here: what only a running daemon shows is not tested.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.jobs.store import JobStore
from worker.metrics import prometheus_text
from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
TEXT = COMPOSE.read_text(encoding="utf-8")
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
ONCE = {"scan", "minio-volume"}  # they do one thing and end
LONG_LIVED = sorted(set(SERVICES) - ONCE)
ALERTS = yaml.safe_load((ROOT / "ops/prometheus/alerts.yml").read_text(encoding="utf-8"))["groups"][0][
    "rules"
]
DASHBOARD = json.loads((ROOT / "ops/grafana/dashboards/touchstone.json").read_text(encoding="utf-8"))


def test_the_file_keeps_to_the_schema_of_compose() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_do_no_more_than_its_work(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].partition(":")[0] not in ("root", "0")
    assert service["pids_limit"] <= 512
    assert service["mem_limit"]
    assert any(place.startswith("/tmp") for place in service["tmpfs"])
    assert {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service) == set()
    assert "docker.sock" not in json.dumps(service)


@pytest.mark.parametrize("name", LONG_LIVED)
def test_a_service_is_watched_and_starts_after_what_it_needs_is_healthy(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == "unless-stopped"
    for needed, how in service.get("depends_on", {}).items():
        ended = "service_completed_successfully"
        assert how["condition"] == (ended if needed in ONCE else "service_healthy")
    assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_minio_may_write_to_the_volume_that_a_folder_of_ours_gave_its_owner() -> None:
    first, after = SERVICES["minio-volume"], SERVICES["minio"]
    made = next(
        line for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if "install -d" in line
    )

    assert first["image"] == SERVICES["api"]["image"]
    assert first["user"] == after["user"]
    assert first["volumes"][0]["source"] == after["volumes"][0]["source"]
    assert first["volumes"][0]["target"] in made
    assert "minio-volume" in after["depends_on"]


def test_redis_postgres_and_workers_are_reached_from_inside_alone() -> None:
    for name in ("redis", "postgres", "worker-cpu", "worker-gpu", "prometheus"):
        assert "ports" not in SERVICES[name], name
        assert SERVICES[name]["networks"] == ["inside"], name
    assert STACK["networks"]["inside"]["internal"] is True


def test_webhooks_are_left_to_the_one_that_has_a_way_out() -> None:
    assert "front" in SERVICES["api"]["networks"]
    for name in ("worker-cpu", "worker-gpu"):
        assert SERVICES[name]["environment"]["TOUCHSTONE_WEBHOOK_SENDER"] == "false"


def test_what_is_published_listens_on_this_machine_unless_told_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "flower", "grafana"}
    addresses = [port.split(":")[0] for ports in published.values() for port in ports]
    assert [a for a in addresses if a not in ("127.0.0.1", "${STACK_ADDRESS")] == []
    assert published["api"] == ["${STACK_ADDRESS:-127.0.0.1}:${STACK_PORT:-8700}:8700"]


def test_every_image_of_others_has_a_version_and_every_volume_a_name() -> None:
    images = [service["image"] for service in SERVICES.values()]
    assert [image for image in images if not re.search(r":(v?\d+\.\d+|RELEASE\.\d{4}-)", image)] == []
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert {m["source"] for m in mounts if m["type"] == "volume"} == set(STACK["volumes"])
    own = [m["source"] for m in mounts if m["type"] == "bind" and m["source"].startswith("./")]
    assert [source for source in own if not (ROOT / source).exists()] == []
    assert [m for m in mounts if m["type"] == "bind" and m.get("read_only") is not True] == []


def test_our_images_are_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    ours = {service["image"] for service in SERVICES.values() if service["image"].startswith("touchstone:")}
    assert ours == {f"touchstone:{version}{variant}" for variant in ("", "-cuda", "-flower")}


def test_every_variable_of_the_stack_is_explained() -> None:
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    variables = set(re.findall(r"\$\{([A-Z0-9_]+)", TEXT))
    explained = {
        name
        for row in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert variables - explained == set()


def test_secrets_are_files_of_a_folder_that_must_be_named() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(STACK["secrets"])
    for name, secret in STACK["secrets"].items():
        assert re.fullmatch(r"\$\{STACK_SECRETS:\?[^}]+\}/" + name, secret["file"])
    plain = [
        f"{name}: {variable}"
        for name, service in SERVICES.items()
        for variable in service.get("environment", {})
        if re.search("PASSWORD|SECRET|TOKEN|DATABASE_URL|BROKER_URL", variable)
        and not variable.endswith("_FILE")
    ]
    assert plain == []


def test_every_setting_that_the_stack_names_exists() -> None:
    known = {f"TOUCHSTONE_{name.upper()}" for name in Settings.model_fields}
    texts = [TEXT, (ROOT / "Dockerfile").read_text(encoding="utf-8")]
    named = {name for text in texts for name in re.findall(r"TOUCHSTONE_[A-Z0-9_]+[A-Z]", text)}
    assert {name for name in named if name.removesuffix("_FILE") not in known} == set()


def test_every_command_that_a_container_of_ours_runs_exists() -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^#+ `touchstone (\w+)", page, re.MULTILINE)) | {"--help"}
    run = {
        service["command"][0]
        for service in SERVICES.values()
        if "touchstone:" in service["image"] and "command" in service
    }
    assert run == {"serve", "worker", "--help"}
    assert run - known == set()


def test_every_target_and_file_of_a_build_exists() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.MULTILINE)
    wanted = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert wanted <= set(stages)
    assert stages[-1] == "service", "docker build without a target makes the last stage"
    context = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for names in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        for name in names.split():
            assert (ROOT / name).exists(), name
            assert f"!{name}" in context, f".dockerignore keeps {name} out"


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names that GET /metrics gives."""
    from touchstone.api.metrics import Counters

    folder = tmp_path_factory.mktemp("store")
    store = JobStore(f"sqlite:///{folder / 'jobs.db'}")
    text = prometheus_text(store, folder) + Counters().text()
    store.close()
    kinds = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    parts = {
        f"{name}_{part}" for name, kind in kinds if kind == "histogram" for part in ("bucket", "sum", "count")
    }
    return {name for name, _ in kinds} | parts | {"up"}


def _named(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:touchstone_\w+|up)\b", re.sub(r'"[^"]*"', "", expression)))


def test_every_metric_of_dashboard_and_alerts_is_exported_and_every_one_of_the_queue_is_shown(
    metrics: set[str],
) -> None:
    shown = {
        name
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        for name in _named(target["expr"])
    }
    alerted = {name for rule in ALERTS for name in _named(rule["expr"])}
    assert (shown | alerted) - metrics == set()
    assert {name for name in metrics if not name.startswith("touchstone_http")} - shown == set()


def test_panels_lie_side_by_side_and_each_reads_from_the_provisioned_source() -> None:
    source = yaml.safe_load(
        (ROOT / "ops/grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    )["datasources"][0]
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"]["uid"] == source["uid"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert re.fullmatch(r"http://(\S+):9090", source["url"]).group(1) in SERVICES  # type: ignore[union-attr]


def test_every_alert_is_explained_where_operators_look() -> None:
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([A-Z][a-z]\w+)` \|", page, re.MULTILINE))
    assert {rule["alert"] for rule in ALERTS} == explained
