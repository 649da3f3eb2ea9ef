"""How an audit is told: a table, log lines, and metrics in Prometheus's text form."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping

from onex.audit.auditor import Report
from onex.audit.kinds import KINDS

SHOWN_OF_EACH = 10
RUNBOOK = "docs/runbooks/imbalance.md"
HELP = {
    "onex_audit_imbalances": "What did not agree at the last audit, by kind; zero is balanced.",
    "onex_audit_compared": "How much the last audit compared.",
    "onex_audit_waiting": "What waits with a reason, by reason, at the last audit.",
    "onex_audit_last_run_timestamp_seconds": "When the last whole audit began.",
    "onex_audit_started_timestamp_seconds": "When the auditor started.",
    "onex_audit_duration_seconds": "How long the last whole audit took.",
    "onex_audit_failures": "Audits that could not read what they compare, since the start.",
}


def table(report: Report) -> str:
    """The report for a person at a terminal."""
    lines = [f"audit of {report.at:%Y-%m-%d %H:%M:%S} UTC, {report.seconds:.1f} s", "", "compared"]
    lines += [f"  {what:<24}{count:>12,}" for what, count in sorted(report.compared.items())]
    lines += ["waiting with a reason"] if report.waiting else []
    lines += [f"  {reason:<36}{count:>12,}" for reason, count in sorted(report.waiting.items())]
    lines += ["imbalances", *(line for kind in KINDS for line in _of_kind(report, kind))]
    total = sum(report.counts.values())
    return "\n".join([*lines, "", f"{total} imbalances: see {RUNBOOK}" if total else "The books balance."])


def _of_kind(report: Report, kind: str) -> Iterator[str]:
    yield f"  {kind:<24}{report.counts[kind]:>6,}" + (f"  {KINDS[kind]}" if report.counts[kind] else "")
    shown = [one for one in report.named if one.kind == kind][:SHOWN_OF_EACH]
    for one in shown:
        yield f"    {one.about}  (learner {one.learner_id}){': ' + one.how if one.how else ''}"
    if report.counts[kind] > len(shown):
        yield f"    and {report.counts[kind] - len(shown)} more"


def as_json(report: Report) -> str:
    """The report for a program."""
    return json.dumps(
        {
            "at": report.at.isoformat(),
            "seconds": round(report.seconds, 3),
            "is_balanced": report.is_balanced,
            "counts": dict(report.counts),
            "imbalances": [one._asdict() for one in report.named],
            "waiting": dict(report.waiting),
            "compared": dict(report.compared),
        },
        indent=1,
    )


def log(event: str, level: str = "info", **more: object) -> None:
    """A line of the process's log."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(json.dumps({"at": at, "level": level, "process": "auditor", "event": event, **more}), flush=True)


def log_report(report: Report) -> None:
    """What an audit came to, and each imbalance that is listed."""
    for one in report.named:
        log("imbalance", "error", **one._asdict())
    imbalances = sum(report.counts.values())
    figures = {"compared": dict(report.compared), "waiting": dict(report.waiting)}
    log("audited", "info", seconds=round(report.seconds, 3), imbalances=imbalances, **figures)


def metrics(report: Report | None, started: float, failures: int) -> str:
    """What Prometheus reads; before the first audit nothing is said of balance."""
    samples: list[tuple[str, Mapping[str, str], float]] = [
        ("onex_audit_started_timestamp_seconds", {}, started),
        ("onex_audit_failures", {}, float(failures)),
    ]
    if report:
        samples += [("onex_audit_last_run_timestamp_seconds", {}, report.at.timestamp())]
        samples += [("onex_audit_duration_seconds", {}, report.seconds)]
        samples += [("onex_audit_imbalances", {"kind": kind}, float(report.counts[kind])) for kind in KINDS]
        samples += [("onex_audit_compared", {"what": what}, float(n)) for what, n in sorted(report.compared.items())]
        samples += [("onex_audit_waiting", {"reason": one}, float(n)) for one, n in sorted(report.waiting.items())]
    names = dict.fromkeys(name for name, _, _ in samples)
    return "".join(_family(name, [(labels, value) for one, labels, value in samples if one == name]) for name in names)


def _family(name: str, samples: list[tuple[Mapping[str, str], float]]) -> str:
    lines = [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        inside = ",".join(f"{key}={json.dumps(text)}" for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {value!r}" if inside else f"{name} {value!r}")
    return "\n".join(lines) + "\n"
