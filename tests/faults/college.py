"""A small college on a fresh stack: learners with places, training and admission numbers, by the front doors alone."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from onex.demo.http import Addresses, Speaker
from onex.demo.samples import Samples
from onex.demo.stages import EXAM_OFFICE, OPERATOR, REGISTRY, annex_puts
from onex.demo.uploading import EARLY_CODES
from tests.support import waiting

TRAINER = "demo-trainer"
LEARNERS = 40
WAIT_SECONDS = 180.0
POLL_SECONDS = 0.2
until = partial(waiting.until, seconds=WAIT_SECONDS, every_seconds=POLL_SECONDS)
AT_ONCE = 500
LEVELS = {1: "初级", 2: "中级", 3: "高级"}
SCHEMES = ("smart-finance", "ecommerce-data")
SITTINGS = (("A", "2020-12-12", 5), ("B", "2021-06-19", 5), ("C", "2021-11-20", 0))  # name, session, publicity_days
DEARER_FROM, DEARER_BY = "2021-03-01", 50  # a second version of each rule, so that the right points depend on the plan
Row = dict[str, Any]


@dataclass(frozen=True)
class Seat:
    """One learner under one admission number; a sitting there is a result. `worth`: credit_points of a pass."""

    teo: str
    plan: str
    scheme: str
    level: int
    admission_number: str
    learner_id: str
    worth: int
    is_weighted: bool

    @property
    def path(self) -> str:
        return f"/teos/{self.teo}/plans/{self.plan}"

    @property
    def ground(self) -> tuple[str, str]:
        """Whose, of which scheme."""
        return self.learner_id, self.scheme


@dataclass(frozen=True)
class Plan:
    teo: str
    code: str
    scheme: str
    level: int
    session_date: str
    publicity_days: int
    worth: int

    @property
    def path(self) -> str:
        return f"/teos/{self.teo}/plans/{self.code}"


class College:
    """Sets everything up once; a repeat changes nothing."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self.samples = Samples()
        self.schemes = {one["code"]: one for one in self.samples.annex("schemes") if one["code"] in SCHEMES}
        self.plans = list(self._plans())
        self.programme = self.samples.annex("programmes")[0]

    def speaker(self, client_id: str) -> Speaker:
        return Speaker(self.addresses, client_id)

    def open(self) -> list[Seat]:
        """From the annex to admission numbers; everybody's seats."""
        self._load()
        self._enrol()
        self._train()
        self._register()
        return [seat for plan in self.plans for seat in self._seats(plan)]

    def _plans(self) -> Iterator[Plan]:
        rules = {(one["scheme"], one["level"]): one["credit_points"] for one in self.samples.annex("recognition")}
        for scheme, level, (name, session_date, publicity_days) in product(SCHEMES, LEVELS, SITTINGS):
            worth = rules[scheme, level] + (DEARER_BY if session_date >= DEARER_FROM else 0)
            code = f"F{name}-{scheme[0].upper()}{level}"
            teo = self.schemes[scheme]["teo"]
            yield Plan(teo, code, scheme, level, session_date, publicity_days, worth)

    def _load(self) -> None:
        operator = self.speaker(OPERATOR)
        for service, path, body in annex_puts(self.samples):
            operator.put(service, path, body)
        for one in self.samples.annex("recognition"):
            if one["scheme"] in SCHEMES:
                rule = {"credit_points": one["credit_points"] + DEARER_BY, "sessions_from": DEARER_FROM, "note": "new"}
                rule["is_folklore_default"] = True
                operator.put("creditbank", f"/recognition-rules/{one['scheme']}/{one['level']}", rule)
        for plan in self.plans:
            body = {
                "scheme": plan.scheme,
                "level": plan.level,
                "session_date": plan.session_date,
                "quota": LEARNERS,
                "publicity_days": plan.publicity_days,
            }
            operator.put("assessment", plan.path, body)

    def _enrol(self) -> None:
        rows = [
            {
                **person(number),
                "学号": f"2019{number:06d}",
                "系部": "财会学院",
                "入学年份": "2019",
                "专业名称": self.programme["name"],
                "状态": "在读",
                "电子邮箱": f"s{number}@students.example.edu.cn" if number % 2 else "",
                "证书名称": self.schemes[scheme]["name"],
                "职业技能等级": LEVELS[level],
            }
            for number, scheme, level in wishes()
        ]
        registry = self.speaker(REGISTRY)
        upload(registry, "enrolment", "roster", rows)
        applied = [one["application_id"] for one in registry.listed("enrolment", "/applications", state="applied")]
        for start in range(0, len(applied), AT_ONCE):
            part = [{"application_id": one} for one in applied[start : start + AT_ONCE]]
            registry.post("enrolment", "/applications/approvals", part)

    def _train(self) -> None:
        operator, count = self.speaker(OPERATOR), len(list(wishes()))
        for scheme in SCHEMES:
            for level in LEVELS:
                body = {"scheme": scheme, "level": level, "places": LEARNERS, "class_hours": 48}
                dates = {"starts_on": "2020-09-01", "ends_on": "2020-11-30"}
                operator.put("training", f"/classes/F-{scheme}-{level}", body | dates)
        until(lambda: operator.flow("training")["places"] == count, "everybody has a place")
        rows = [
            {
                **person(number),
                "证书名称": self.schemes[scheme]["name"],
                "等级": LEVELS[level],
                "完成日期": "2020-11-30",
                "学时": "48",
                "结论": "合格",
            }
            for number, scheme, level in wishes()
        ]
        upload(self.speaker(TRAINER), "training", "completion", rows)
        until(lambda: operator.flow("assessment")["entitled"] == count, "everybody is entitled")

    def _register(self) -> None:
        rows = [
            {**person(number), "准考证号": admission_number(plan, number), "计划编号": plan.code}
            for plan in self.plans
            for number in range(LEARNERS)
        ]
        upload(self.speaker(EXAM_OFFICE), "assessment", "candidates", rows)

    def _seats(self, plan: Plan) -> Iterator[Seat]:
        is_weighted = self.schemes[plan.scheme]["pass_rules"][0]["kind"] == "weighted"
        for one in self.speaker(OPERATOR).listed("assessment", f"{plan.path}/candidates"):
            number, learner_id = one["admission_number"], one["learner_id"]
            yield Seat(plan.teo, plan.code, plan.scheme, plan.level, number, learner_id, plan.worth, is_weighted)


def wishes() -> Iterator[tuple[int, str, int]]:
    """Who takes which scheme at which level: everybody everything."""
    return product(range(LEARNERS), SCHEMES, LEVELS)


def person(number: int) -> Row:
    """Who somebody is, as every sheet asks."""
    return {"姓名": f"学员{number:03d}", "证件类型": "护照", "证件号码": f"E{number + 10_000_000:08d}"}


def admission_number(plan: Plan, number: int) -> str:
    return f"{plan.code.replace('-', '')}{number:04d}"


def number_in(admission: str) -> int:
    """Whose admission number it is."""
    return int(admission[-4:])


def upload(speaker: Speaker, service: str, kind: str, rows: Sequence[Row]) -> None:
    """Upload a sheet, look, commit; again as long as rows are refused for want of facts that are on their way."""
    content = sheet_of(rows)

    def is_taken() -> bool:
        state = previewed(speaker, service, kind, content)
        path = f"/imports/{state['number']}"
        if state["counts"]["refused"]:
            refused = list(speaker.listed(service, f"{path}/rows", status="refused"))
            if strange := [one for one in refused if one["code"] not in EARLY_CODES]:
                raise AssertionError(f"{kind} row {strange[0]['row']} is refused: {strange[0]['code']}")
            speaker.delete(service, path)
            return False
        speaker.post(service, f"{path}/commit")
        until(lambda: speaker.get(service, path)["state"] == "committed", f"{kind} is committed")
        return True

    until(is_taken, f"{kind} is taken")


def previewed(speaker: Speaker, service: str, kind: str, content: bytes) -> Mapping[str, Any]:
    """An upload once it was looked at."""
    state = speaker.post(
        service,
        "/imports",
        params={"kind": kind, "language": "zh"},
        files={"file": (f"{kind}.csv", content)},
        headers={"Idempotency-Key": str(uuid.uuid4())},
    )
    path = f"/imports/{state['number']}"
    until(lambda: speaker.get(service, path)["state"] == "previewed", f"{kind} is previewed")
    found: Mapping[str, Any] = speaker.get(service, path)
    return found


def sheet_of(rows: Sequence[Row]) -> bytes:
    """Rows as a CSV file with its headers."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")
