"""Create the topics of deploy/topics.yaml that do not exist yet, and give them more partitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chassis.bus import topics
from chassis.errors import Transient
from onex.stack.home import ROOT
from onex.stack.trouble import Trouble

FILE = ROOT / "deploy" / "topics.yaml"


def wanted(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """Every topic with its settings, as the file says."""
    told = yaml.safe_load(file.read_text())
    settings = {
        "num_partitions": told["partitions"],
        "replication_factor": told["replication_factor"],
        "configs": told["config"],
    }
    return dict.fromkeys(told["topics"], settings)


def create(kafka: str) -> list[str]:
    """Create what is missing; `Trouble` when no broker answers, or topics are not cut alike."""
    names = wanted()
    try:
        created = topics.create(kafka, names)
        topics.must_be_cut_alike(topics.describe(kafka, sorted(names)))
    except Transient as error:
        raise Trouble(f"The topics are not in order: {error}.") from error
    return created


def grow(kafka: str, partitions: int) -> list[str]:
    """Give every topic so many partitions; `Trouble` when one has more, or Kafka does not do it."""
    names = wanted()
    try:
        topics.create(kafka, names)
        return topics.grow(kafka, sorted(names), partitions)
    except (Transient, ValueError) as error:
        raise Trouble(f"The topics cannot have {partitions} partitions each: {error}.") from error
