"""Topics, alerts and dashboards speak of what exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from onex.stack import compose, secrets
from onex.stack.home import ROOT
from onex.topics import wanted

HALF_A_YEAR_MS = 183 * 24 * 3600 * 1000


def test_topics_are_cut_alike_and_remember_more_than_half_a_year() -> None:
    topics = wanted()
    assert set(topics) == {f"onex.{name}.v1" for name in secrets.SERVICES}
    for settings in topics.values():
        assert settings["num_partitions"] == 6
        assert int(settings["configs"]["retention.ms"]) >= HALF_A_YEAR_MS


def test_prometheus_asks_every_process() -> None:
    watched = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = {target for job in watched for group in job.get("static_configs", ()) for target in group["targets"]}
    found = [group for job in watched for group in job.get("dns_sd_configs", ())]
    targets |= {f"{name}:{group['port']}" for group in found for name in group["names"]}
    defaults = {name: str(port) for name, port in compose.port_defaults(ROOT / "docker-compose.yml").items()}
    services = compose.read(ROOT / "docker-compose.yml", defaults | secrets.made()).services
    answering = {
        f"{name}:{one.ports[0].number}"
        for name, one in services.items()
        if name in ("portal", "auditor") or name.removesuffix("-worker") in secrets.SERVICES
    }
    assert answering == targets - {"localhost:9090"}


def test_alerts_and_panels_name_metrics_that_exist() -> None:
    sources = [
        file.read_text()
        for part in ("chassis", "services", "portal", "onex/audit")
        for file in (ROOT / part).rglob("*.py")
    ]
    exist = set(re.findall(r'"(onex_[a-z_]+)"', "\n".join(sources)))
    alerts = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    panels = json.dumps(json.loads(Path(ROOT / "deploy/grafana/dashboards/onex.json").read_text()))
    named = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bonex_[a-z_]+", alerts + panels)}
    assert named <= exist
    assert {"onex_lag_events", "onex_oldest_unpublished_seconds", "onex_oldest_waiter_seconds"} <= named
