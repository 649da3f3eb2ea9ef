"""A bank that reconciles, over HTTP: comparisons, what they found, reports, and approvals judged one by one."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.portal_pages.workbenches import Workbench

Doc = dict[str, Any]
TEO = "91110108717743469K"
NOW = "2021-03-01T01:00:00+00:00"


def run(number: int = 1, **more: Any) -> Doc:
    """A comparison of a report, through."""
    return {
        "number": number,
        "stage": "finished",
        "report": 7,
        "teo": TEO,
        "night": None,
        "asked_by": "teo",
        "begun_at": NOW,
        "finished_at": NOW,
        "seen": 300,
        "discrepancies": 0,
        "counts": [],
    } | more


def report(number: int = 7, **more: Any) -> Doc:
    """A report of three rows, compared once."""
    return {
        "number": number,
        "teo": TEO,
        "uploaded_by": "teo",
        "taken_at": NOW,
        "issued_from": "2020-01-01",
        "issued_until": "2020-12-31",
        "is_period_given": True,
        "schemes": ["smart-finance"],
        "rows": 3,
        "left_out": 0,
        "run": 1,
    } | more


def discrepancy(serial: int, kind: str = "number_not_recorded", **more: Any) -> Doc:
    """A number that the bank may put on record."""
    return {
        "id": f"00000001:{serial:07}",
        "run": 1,
        "kind": kind,
        "state": "open",
        "teo": TEO,
        "scheme": "smart-finance",
        "level": 1,
        "certificate_number": f"SF{serial}",
        "learner_id": "ann",
        "result_id": f"{TEO}:P1:{serial}:1",
        "row": serial + 1,
        "issued_on": "2020-11-21",
        "here": "",
        "there": "",
        "zh": f"报表列出编号 SF{serial}，此处尚未登记。",
        "en": f"The report has number SF{serial}, which is not on record.",
        "mend_zh": "批准后由学分银行登记该编号。",
        "mend_en": "The bank puts the number on record.",
        "act": "record_number",
        "party": "",
        "request": "",
        "approved_by": None,
        "approved_at": None,
        "ended_by": None,
    } | more


def task(serial: int, **more: Any) -> Doc:
    """A number that the organisation has to correct."""
    return discrepancy(
        serial, "number_twice", act="", party="teo", request="POST assessment /somewhere",
        mend_zh="请更正报表。", mend_en="Correct the report.", **more,
    )  # fmt: skip


class ReconcilingBank(Workbench):
    """Has one comparison unless told otherwise; `refusals`: what it says to a discrepancy or a path instead."""

    def __init__(self, *found: Doc, refusals: dict[str, Any] | None = None, **about: Any) -> None:
        super().__init__()
        self.found = [copy.deepcopy(one) for one in found]
        self.refusals = refusals or {}
        kinds = sorted({one["kind"] for one in found})
        counts = [{"kind": kind, "count": sum(one["kind"] == kind for one in found)} for kind in kinds]
        self.run = run(discrepancies=len(found), counts=counts) | about.pop("run", {})
        self.report = report() | about.pop("report", {})
        self.profile: Doc = {"columns": [{"column": "证书编号", "headers": ["证号"]}], "left_out": ["备注"]}

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        fixed = {
            "/reconciliations": {"items": [self.run], "next": None},
            "/reconciliations/1": self.run,
            "/certificate-reports": {"items": [self.report], "next": None},
            "/certificate-reports/7": self.report,
            f"/report-profiles/{TEO}": self.profile,
            "/sheets": {"items": [{"kind": "certificate-report", "columns": [{"name": "证书编号"}, {"name": "姓名"}]}]},
            "/outcome-sources": {"items": [], "next": None},
        }
        if path == "/reconciliations/1/discrepancies":
            return 200, self.listed_(query)
        if path.startswith("/reconciliations/1/discrepancies."):
            self.sent.append((path, query))
            return 200, "sheet"
        return (200, fixed[path]) if path in fixed else super().answer(path, query)

    def listed_(self, query: dict[str, str]) -> Doc:
        """A page of what was found, as the bank filters it."""
        wanted = {name: query[name] for name in ("kind", "state", "teo") if name in query}
        fitting = [one for one in self.found if all(one[name] == value for name, value in wanted.items())]
        start, limit = int(query.get("cursor", "0")), int(query["limit"])
        ahead = start + limit if len(fitting) > start + limit else None
        return {"items": fitting[start : start + limit], "next": None if ahead is None else str(ahead)}

    def told(self, path: str, body: Any) -> Any:
        self.sent.append((path, body))
        if path in self.refusals:
            return self.refusals[path]
        if path == "/discrepancy-approvals":
            return [self.judged(index, one["discrepancy"]) for index, one in enumerate(body["items"])]
        if path.startswith("/report-profiles/"):
            self.profile = body
            return body
        return 202, self.run

    def judged(self, index: int, name: str) -> Doc:
        """One approval's verdict."""
        said = {"index": index, "id": name, "code": None, "detail": None}
        if name in self.refusals:
            return said | {"status": "refused", "code": "discrepancy_gone", "detail": self.refusals[name]}
        one = next(one for one in self.found if one["id"] == name)
        status = "accepted" if one["state"] == "open" else "unchanged"
        one["state"] = "mended" if one["act"] else "tasked"
        return said | {"status": status}
