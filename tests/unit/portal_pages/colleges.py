"""A college that answers over HTTP: a learner's account, a curriculum, rules, and a bank that takes applications."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chassis.clock import today
from tests.unit.portal_pages.workbenches import Workbench

Doc = dict[str, Any]
YEAR = today().year
CURRICULUM: Doc = {
    "programme": "630302",
    "entry_year": 2019,
    "revision": 1,
    "credit_points_total": 14000,
    "credit_points": 800,
    "core_courses": 4,
    "warnings": [],
    "courses": [
        {"code": "KJ2101", "name": "财务大数据基础", "credit_points": 200, "kind": "foundation", "term": 2,
         "is_never_exempt": False, "modules": []},
        {"code": "KJ2130", "name": "税务会计", "credit_points": 400, "kind": "core", "term": 4,
         "is_never_exempt": False, "modules": [{"code": "KJ2130-2", "name": "个税核算", "credit_points": 200}]},
        {"code": "KJ2120", "name": "管理会计", "credit_points": 400, "kind": "core", "term": 5,
         "is_never_exempt": False, "modules": []},
    ],
}  # fmt: skip
POLICY: Doc = {
    "code": "measures",
    "version": 1,
    "state": "published",
    "drafted_by": "li",
    "approved_by": ["li", "mei"],
    "published_at": "2019-09-01T00:00:00+00:00",
    "title": "学分转换管理办法",
    "number": "教〔2019〕7号",
    "issued_on": "2019-09-01",
    "valid_from": "2019-09-01",
    "valid_until": f"{YEAR + 1}-12-31",
    "most_points_per_certificate": 800,
    "shares": [],
    "never_exempt_kinds": [],
    "windows": [{"term": "2020-2021-2", "opens_on": f"{YEAR - 1}-12-01", "closes_on": f"{YEAR + 1}-12-31"}],
    "steps": [{"step": "department", "working_days": 3}, {"step": "registry", "working_days": 5}],
    "offer_days": 3,
    "undo_minutes": 30,
    "credit_years": 0,
    "appeal_days": 5,
    "appeal_review_days": 5,
    "is_folklore_default": False,
}
RECORD: Doc = {
    "student_number": "2019040117",
    "college": "10000",
    "programme": "630302",
    "entry_year": 2019,
    "department": "财经学院",
    "class_name": "会计1903班",
    "status": "enrolled",
    "since": "2019-09-01",
    "until": None,
}


def target(course: str, points: int, module: str = "") -> Doc:
    return {"course": course, "module": module, "credit_points": points, "grade": "免修", "kind": "course"}


def rule(level: int, *targets: Doc, **more: Any) -> Doc:
    """A published rule for a level of the one certificate."""
    return {
        "code": f"smart-finance-{level}",
        "version": 1,
        "policy": "measures",
        "programme": "630302",
        "entry_year": 2019,
        "scheme": "smart-finance",
        "levels": [level],
        "targets": list(targets),
        "valid_from": "2019-09-01",
        "valid_until": f"{YEAR + 1}-12-31",
        "note": "",
        "is_folklore_default": False,
        "state": "published",
        "drafted_by": "li",
        "approved_by": ["li", "mei"],
        "published_at": "2019-09-01T00:00:00+00:00",
        "retired_at": None,
    } | more


RULES = [
    rule(1, target("KJ2101", 200)),
    rule(2, target("KJ2130", 400), target("KJ2130", 200, "KJ2130-2")),
    rule(3, target("KJ2120", 400)),
]


def result(level: int, state: str = "final") -> Doc:
    return {"result_id": f"T:P:{level}:1", "scheme": "smart-finance", "level": level, "plan": f"P{level}",
            "state": state, "verdict": "passed"}  # fmt: skip


def account(available: int = 400, provisional: int = 0, **more: Any) -> Doc:
    """An account with one holding of two levels."""
    holding = {
        "scheme": "smart-finance", "level": 2, "available_points": available, "provisional_points": provisional,
        "held_points": 0, "spent_points": 0, "certificate": "recorded", "unnumbered": False,
    }  # fmt: skip
    return {
        "learner_id": "ann",
        "merged_into": None,
        "is_frozen": False,
        "balances": {"available": available, "provisional": provisional},
        "holdings": [holding],
        "entries": 1,
        "head": "ab" * 32,
    } | more


def application(name: str = "a1", **more: Any) -> Doc:
    """An application as the bank shows it: under review at the department."""
    return {
        "application": name,
        "learner_id": "ann",
        "filed_on": f"{YEAR}-03-01",
        "rule": "smart-finance-2",
        "rule_version": 1,
        "policy": "measures",
        "policy_version": 1,
        "programme": "630302",
        "entry_year": 2019,
        "student_number": "2019040117",
        "department": "财经学院",
        "class_name": "会计1903班",
        "scheme": "smart-finance",
        "level": 2,
        "target": target("KJ2130", 400),
        "term": "2020-2021-2",
        "state": "review",
        "step": "department",
        "held_points": 400,
        "spent_points": 0,
        "due_on": f"{YEAR + 1}-01-04",
        "is_escalated": False,
        "because": None,
        "offer": None,
        "offered_by": "",
        "is_released": False,
        "export": 0,
        "export_state": "",
        "export_note": "",
        "is_case": False,
        "may_be_appealed": False,
        "appeal_until": None,
        "appeal": None,
        "decided_by": None,
        "decided_on_behalf_of": None,
        "decided_at": None,
        "undo_until": None,
    } | more


OFFER: Doc = {
    "rule": "smart-finance-2",
    "version": 1,
    "target": target("KJ2130", 200, "KJ2130-2"),
    "until": f"{YEAR + 1}-01-09",
    "is_taken": False,
}
BECAUSE = {"code": "refused_by_review", "en": "Not yet.", "zh": "暂不批准。"}
APPEAL: Doc = {"reason": "It is taught from the same book.", "filed_on": f"{YEAR}-03-09", "against": BECAUSE}
ENTRY: Doc = {
    "number": 1, "at": "2021-01-15T01:00:00+00:00", "cause": "e1", "what": "ResultFinalised",
    "scheme": "smart-finance", "level": 2, "result_id": "T:P:2:1", "revision": 1, "rule_version": 1, "reason": None,
    "postings": [], "provisional_points": 0, "available_points": 400, "previous": "", "hash": "ab" * 32,
}  # fmt: skip
CHAIN: Doc = {
    "learner_id": "ann",
    "chain": [
        {"kind": "score", "id": "T:P:2:1", "text": "2021-01-15 考试：智能财税中级，合格。", "zh": "成绩", "en": "score",
         "facts": {}},
        {"kind": "entry", "id": "1", "text": "第 1 笔：可用 +4.00（学分）。", "zh": "记录", "en": "entry", "facts": {}},
    ],
    "is_whole": True,
    "proof": "h.p.s",
}  # fmt: skip


DRAFTS = [
    rule(2, target("KJ2120", 400), version=3, state="draft", approved_by=["mei"], published_at=None),
    rule(2, target("KJ2130", 400), version=2, state="approved", published_at=None),
    rule(2, target("KJ2130", 400)),
]


def group(scheme: str, level: int, gained: int, lost: int) -> Doc:
    """What a simulation found for one level of a certificate."""
    return {
        "scheme": scheme, "level": level, "holdings": 3, "gainers": 2 if gained else 0, "losers": 1 if lost else 0,
        "gained_points": gained, "lost_points": lost, "change_points": gained - lost, "published_points": 0,
    }  # fmt: skip


def bare(one: Doc) -> Doc:
    """The figures of a group alone."""
    return {name: value for name, value in one.items() if name not in {"scheme", "level"}}


GROUPS = [group("smart-finance", 1, 100, 0), group("smart-finance", 2, 400, 200)]
PROPOSAL: Doc = {
    "number": 1,
    "kind": "rerate",
    "state": "simulated",
    "revision": 1,
    "author": "li",
    "made_at": "2021-03-01T01:00:00+00:00",
    "version": None,
    "retirement": None,
    "rerate": {"targets": [{"scheme": "smart-finance", "level": 2, "version": 2}]},
    "simulation": {
        "number": 1,
        "asked_by": "li",
        "asked_at": "2021-03-01T01:00:00+00:00",
        "finished_at": "2021-03-01T01:00:09+00:00",
        "seen": 300,
        "outcomes": 300,
        "totals": bare(group("", 0, 500, 200)),
        "groups": GROUPS,
        "schemes": [bare(group("", 0, 500, 200)) | {"scheme": "smart-finance"}],
        "programmes": [
            bare(group("", 0, 500, 0)) | {"programme": "630302"},
            bare(group("", 0, 0, 200)) | {"programme": ""},
        ],
    },
    "approvals": [],
    "enactment": None,
}
EXPORT: Doc = {"number": 1, "by": "mei", "at": "2021-03-20T01:00:00+00:00", "rows": 2}


DELEGATION: Doc = {
    "delegation": "d1",
    "by": "zhou",
    "to": "dan",
    "role": "registry",
    "departments": ["财经学院"],
    "first": f"{YEAR}-03-01",
    "until": f"{YEAR}-03-20",
    "note": "on leave",
    "holds_today": True,
    "made_at": f"{YEAR}-03-01T01:00:00+00:00",
    "revoked_by": "",
    "revoked_at": None,
}


FIXED: dict[str, Doc] = {  # what the bank answers to whatever is sent there
    "/conversion-rules/": DRAFTS[0],
    "/recognition-proposals/": PROPOSAL["simulation"],
    "/conversion-delegations": DELEGATION,
}


class Bank(Workbench):
    """A credit bank with one learner's account; `refusals`: what it says to a path instead of doing it."""

    def __init__(self, *applications: Doc, refusals: dict[str, tuple[int, Doc]] | None = None, **more: Any) -> None:
        super().__init__()
        self.applications = {one["application"]: copy.deepcopy(one) for one in applications}
        self.refusals = refusals or {}
        self.more = {f"/{path}": answer for path, answer in more.items()}
        self.account = account()
        self.delegations: list[Doc] = []

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path in self.more:
            return 200, self.more[path]
        if path == "/conversion-applications":
            wanted = {name: query[name] for name in query if name not in {"limit", "cursor"}}
            self.sent.append((path, wanted))
            found = [one for one in self.applications.values() if all(str(one[k]) == wanted[k] for k in wanted)]
            return 200, {"items": found, "next": None}
        fixed = {
            "/accounts/ann": self.account,
            "/accounts/ann/entries": {"items": [ENTRY], "next": None},
            "/accounts/ann/why": CHAIN,
            "/conversion-policies/measures": [POLICY],
            "/conversion-rules": {"items": RULES, "next": None},
            "/conversion-rules/smart-finance-2": DRAFTS,
            "/conversion-simulations": {"items": [], "next": None},
            "/recognition-proposals": {"items": [PROPOSAL], "next": None},
            "/recognition-proposals/1": PROPOSAL,
            "/recognition-proposals/1/simulation.xlsx": "sheet",
            "/conversion-delegations": {"items": list(self.delegations), "next": None},
            "/outcome-sources": {"items": [], "next": None},
            "/exemption-exports": {"items": [EXPORT], "next": None},
            "/exemption-exports/1": {"number": 1, "rows": self.exported()},
            "/exemption-exports/1/sheet.csv": "学号",
        } | {f"/conversion-applications/{name}": one for name, one in self.applications.items()}
        return (200, fixed[path]) if path in fixed else super().answer(path, query)

    def told(self, path: str, body: Any) -> Any:
        """What is sent is noted; filing is once for each wish, as the bank does it."""
        self.sent.append((path, body))
        if path in self.refusals:
            return self.refusals[path]
        if path.endswith("/conversion-applications"):
            name = f"{body['rule']}-{body['course']}{body['module']}".lower()
            return self.applications.setdefault(name, application(name, target=target(body["course"], 400)))
        if fixed := next((answer for begin, answer in FIXED.items() if path.startswith(begin)), None):
            return fixed
        if path == "/exemption-exports":
            return {"number": 1 if self.applications else 0, "rows": self.exported()}
        if path == "/exemption-exports/1/acknowledgement":
            return [self.acknowledged(index, one) for index, one in enumerate(body)]
        if path in {"/conversion-decisions", "/conversion-undos"}:
            return [self.judged(index, one) for index, one in enumerate(body)]
        one = self.applications[path.split("/")[2]]
        one["state"] = {"withdrawal": "withdrawn", "offer": "refused", "appeal": "review"}[path.split("/")[3]]
        return one

    def exported(self) -> list[Doc]:
        """Every application as a row of the one export."""
        names = ("application", "student_number", "term")
        return [
            {name: one[name] for name in names}
            | {name: one["target"][name] for name in ("course", "module", "credit_points", "kind", "grade")}
            | {"code": one["target"]["module"] or one["target"]["course"], "credits": "4.0", "kind_zh": "免修"}
            for one in self.applications.values()
        ]

    def judged(self, index: int, asked: Doc) -> Doc:
        """One item's verdict: what is granted already is unchanged, what `refusals` names is refused."""
        one, name = self.applications[asked["application"]], asked["application"]
        said = {"index": index, "id": name, "code": None, "detail": None}
        if name in self.refusals:
            return said | {"status": "refused"} | self.refusals[name][1]
        state = {"approve": "granted", "refuse": "refused"}.get(asked.get("verdict", ""), "review")
        status = "unchanged" if one["state"] == state else "accepted"
        one["state"] = state
        return said | {"status": status}

    def acknowledged(self, index: int, answer: Doc) -> Doc:
        """What became of one row of the export."""
        one = self.applications[answer["application"]]
        one |= {"export_state": "rejected" if answer["reason"] else "taken", "export_note": answer["reason"]}
        return {"index": index, "id": one["application"], "status": "accepted", "code": None, "detail": None}


class Service(Workbench):
    """Answers with what a test gives it, by path."""

    def __init__(self, answers: Doc) -> None:
        super().__init__()
        self.answers = answers

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        return (200, self.answers[path]) if path in self.answers else super().answer(path, query)


def enrolment() -> Service:
    """The learner's records, and the curriculum where they study."""
    programmes = [{"code": "630302", "name": "会计", "entry_years": [2019], "credit_points_total": 14000}]
    return Service(
        {
            "/learners/ann": {"learner_id": "ann"},
            "/learners/ann/records": [RECORD],
            "/programmes/630302/curricula/2019": CURRICULUM,
            "/programmes": {"items": programmes, "next": None},
        }
    )


def assessment() -> Service:
    """Passes of two levels, and what the certificate is called."""
    return Service(
        {
            "/results": {"items": [result(1), result(2)], "next": None},
            "/schemes": {"items": [{"scheme": "smart-finance", "name": "智能财税", "levels": [1, 2, 3]}], "next": None},
            "/certificates": {"items": [], "next": None},
        }
    )


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
