"""The main job, stage by stage, each through the services' public addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from onex.demo.compare import result_differences
from onex.demo.http import Addresses, Speaker
from onex.demo.reading import all_results, holdings_due, results_of
from onex.demo.samples import Samples
from onex.demo.screen import Bar
from onex.demo.trouble import Answered, Halt
from onex.demo.uploading import EARLY_SECONDS, Import, changed_rows, row_differences, upload_all
from onex.demo.waiting import HOPELESS_SECONDS, STANDSTILL_SECONDS, Progress, reached, wait_for

OPERATOR, REGISTRY, EXAM_OFFICE = "demo-operator", "demo-registry", "demo-exam-office"
AT_ONCE = 500
OPEN_ENDED_DAYS = 60  # more working days of publicity than the published calendar reaches
Put = tuple[str, str, dict[str, Any]]  # service, path, body
DEMO_PASSWORD = "onex-demo"  # noqa: S105 (demo accounts only exist with DEMO=1)


class Speakers(defaultdict[str, Speaker]):
    """The demo's clients by id, made when first spoken through."""

    def __init__(self, addresses: Addresses) -> None:
        super().__init__(None)
        self.addresses = addresses

    def __missing__(self, client_id: str) -> Speaker:
        self[client_id] = speaker = Speaker(self.addresses, client_id)
        return speaker


@dataclass
class Demo:
    """One run: who speaks, what is uploaded, and what differed so far."""

    samples: Samples
    speakers: Speakers
    differences: list[str] = field(default_factory=list)
    rows_changed: int = 0
    rows_sent: int = 0

    @property
    def operator(self) -> Speaker:
        return self.speakers[OPERATOR]

    def patience(self) -> float:
        """Where something already differs, waiting for the expected number is hopeless sooner."""
        return HOPELESS_SECONDS if self.differences else STANDSTILL_SECONDS

    def upload(self, stage: str, bar: Bar) -> list[Import]:
        """Upload, preview and commit the sheets of a stage."""
        early_seconds = 0.0 if self.differences else EARLY_SECONDS
        imports = upload_all(self.samples, self.samples.sheets(stage), self.speakers, bar, early_seconds)
        self.differences += row_differences(imports)
        self.rows_changed += changed_rows(imports)
        self.rows_sent += sum(one.sheet.rows for one in imports)
        bar.at(bar.total, bar.total, summary_of(imports))
        return imports


def summary_of(imports: Iterable[Import]) -> str:
    """What became of the rows of some uploads."""
    done: dict[str, int] = defaultdict(int)
    for one in imports:
        for status, count in one.state["done"].items():
            done[status] += count
    return ", ".join(f"{count} {status}" for status, count in done.items() if count) or "nothing"


def load_annex(demo: Demo, bar: Bar) -> None:
    """Load the annex, the calendar and the plans through the services' own addresses."""
    put_all(demo, [*annex_puts(demo.samples), *plan_puts(demo.samples)], bar)


def annex_puts(samples: Samples) -> Iterator[Put]:
    """The organisations, schemes, programmes with their curricula, pass marks, calendars and recognition rules."""
    for one in samples.annex("teos"):
        yield "assessment", f"/teos/{one['code']}", picked(one, "name aliases")
    for one in samples.annex("schemes"):
        yield "assessment", f"/schemes/{one['code']}", without(one, "code")
    for one in samples.annex("programmes"):
        body = picked(one, "name entry_years credit_points_total code_2021")
        yield "enrolment", f"/programmes/{one['code']}", body
    yield from curriculum_puts(samples)
    for one in samples.calendars():
        yield "enrolment", f"/calendar/{one['year']}", without(one, "year")
    for one in samples.annex("recognition"):
        yield "creditbank", f"/recognition-rules/{one['scheme']}/{one['level']}", without(one, "scheme", "level")


def curriculum_puts(samples: Samples) -> Iterator[Put]:
    """The courses of the programmes' entry years, and the marks that pass in them."""
    for one in samples.annex("curricula"):
        for year in one["entry_years"]:
            yield "enrolment", f"/programmes/{one['programme']}/curricula/{year}", picked(one, "courses")
    for one in samples.annex("pass_marks"):
        yield "training", f"/pass-marks/{one['programme']}", picked(one, "pass_mark")


def load_conversion(demo: Demo, bar: Bar) -> None:
    """Load the policy and the conversion rules, as defaults; what the bank has yet to hear of is waited for."""
    put_when_known(demo, conversion_puts(demo.samples), bar, "rules of certificates that the bank knows")


def put_when_known(demo: Demo, puts: Iterable[Put], bar: Bar, what: str) -> None:
    """Put resources one after the other; whatever names a certificate that its service has yet to hear of waits."""
    left = list(puts)
    total = len(left)

    def put_some() -> Progress:
        while left and is_put(demo, left[0]):
            left.pop(0)
        return total - len(left), total

    wait_for(bar, what, put_some, demo.patience())


def is_put(demo: Demo, put: Put) -> bool:
    """Put one; False while its service has not heard of its certificate."""
    try:
        demo.operator.put(*put)
    except Answered as refused:
        if refused.code != "scheme_unknown":
            raise
        return False
    return True


def conversion_puts(samples: Samples) -> Iterator[Put]:
    """The policy document, and of each of the annex's rows a rule for each entry year."""
    [policy] = samples.annex("policies")
    yield "creditbank", f"/conversion-policies/{policy['code']}", without(policy, "code")
    years = {one["programme"]: one["entry_years"] for one in samples.annex("curricula")}
    lasting = {"policy": policy["code"], **picked(policy, "valid_from valid_until is_folklore_default")}
    note = "Folklore default, not a published rule: edit it before real use."
    for row in samples.annex("conversion"):
        for year in years[row["programme"]]:
            body = picked(row, "programme scheme targets") | {
                "entry_year": year,
                "levels": [row["level"]],
                "note": note,
            }
            code = f"{row['scheme']}-{row['level']}-{row['programme']}-{year}"
            yield "creditbank", f"/conversion-rules/{code}", body | lasting


def module_puts(samples: Samples) -> Iterator[Put]:
    """The modules of some trainings."""
    for one in samples.annex("training_modules"):
        path = f"/training-modules/{one['scheme']}/{one['level']}/{one['code']}"
        yield "training", path, picked(one, "name class_hours")


def plan_puts(samples: Samples) -> Iterator[Put]:
    """The assessment plans."""
    for one in samples.plans:
        yield "assessment", f"/teos/{one['teo']}/plans/{one['plan']}", without(one, "teo", "plan")


def put_all(demo: Demo, puts: list[Put], bar: Bar) -> None:
    """Put resources one after the other."""
    for count, (service, path, body) in enumerate(puts, 1):
        demo.operator.put(service, path, body)
        bar.at(count, len(puts))


def picked(one: Mapping[str, Any], names: str) -> dict[str, Any]:
    """Some members of an object."""
    return {name: one[name] for name in names.split()}


def without(one: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """An object without some members."""
    return {name: value for name, value in one.items() if name not in names}


def upload_rosters(demo: Demo, bar: Bar) -> None:
    """Students and community learners, with what they apply for."""
    demo.upload("rosters", bar)


def approve(demo: Demo, bar: Bar) -> None:
    """Approve every application but those that the registry holds back."""
    registry = demo.speakers[REGISTRY]
    held_back = held_back_ids(demo, registry)
    applied = [row["application_id"] for row in registry.listed("enrolment", "/applications", state="applied")]
    chosen = [one for one in applied if one not in held_back]
    bar.at(0, len(chosen))
    for start in range(0, len(chosen), AT_ONCE):
        part = [{"application_id": one} for one in chosen[start : start + AT_ONCE]]
        judged = registry.post("enrolment", "/applications/approvals", part)
        demo.differences += [
            f"approval of {one['id']}: {one['detail']}" for one in judged if one["status"] == "refused"
        ]
        bar.at(start + len(part), len(chosen))


def held_back_ids(demo: Demo, registry: Speaker) -> set[str]:
    """The applications of learners who are suspended or have left."""
    numbers = {one["student_number"] for one in demo.samples.listed("held_back")}
    learner_ids = {number: learner_of(registry, number) for number in sorted(numbers)}
    return {
        f"{learner_ids[one['student_number']]}:{one['scheme']}:{one['level']}"
        for one in demo.samples.listed("held_back")
    }


def learner_of(speaker: Speaker, student_number: str) -> str:
    """The learner with a student number."""
    for row in speaker.listed("enrolment", "/learners", student_number=student_number):
        return str(row["learner_id"])
    raise Halt(f"enrolment knows no learner with the student number {student_number}.")


def give_places(demo: Demo, bar: Bar) -> None:
    """Enter modules and open the classes; everybody who is approved gets a place, who came first waited."""

    def all_known() -> tuple[int, int]:
        flow = demo.operator.flow("training")
        return flow["places"] + flow["waiting_for_class"], demo.operator.flow("enrolment")["approved"]

    def all_seated() -> tuple[int, int]:
        return demo.operator.flow("training")["places"], demo.operator.flow("enrolment")["approved"]

    wait_for(bar, "approvals known to training", all_known)
    put_when_known(demo, module_puts(demo.samples), bar, "modules of certificates that training knows")
    classes = demo.samples.listed("classes")
    put_all(demo, [("training", f"/classes/{one['code']}", without(one, "code")) for one in classes], bar)
    wait_for(bar, "places", all_seated)


def complete(demo: Demo, bar: Bar) -> None:
    """Who completed the training; assessment must know before candidates are registered."""
    demo.upload("completion", bar)

    def all_entitled() -> tuple[int, int]:
        return demo.operator.flow("assessment")["entitled"], demo.operator.flow("training")["completed"]

    wait_for(bar, "entitled to be assessed", all_entitled)


def register_candidates(demo: Demo, bar: Bar) -> None:
    """Candidates with the TEOs' admission numbers."""
    demo.upload("candidates", bar)


def submit_results(demo: Demo, bar: Bar) -> None:
    """The TEOs' result sheets, each by the TEO's own client; where no calendar reaches, the operator is warned."""
    demo.upload("results", bar)
    open_ended = [plan for plan in demo.samples.plans if plan["publicity_days"] >= OPEN_ENDED_DAYS]
    for plan in (one for one in open_ended if open_results(demo, one)):
        warned = demo.operator.get("assessment", "/warnings")["warnings"]
        if plan["plan"] not in {one["plan"] for one in warned}:
            demo.differences.append(f"assessment does not warn that {plan['plan']} is public without a due date")


def submit_resits(demo: Demo, bar: Bar) -> None:
    """The sheets of resits, when the first attempts are final."""
    demo.upload("resits", bar)


def close_publicity(demo: Demo, bar: Bar) -> None:
    """Close publicity by the operator's command, plan by plan in the order of their sessions."""
    plans = demo.samples.plans
    for count, plan in enumerate(plans, 1):
        if open_results(demo, plan):
            demo.operator.post("assessment", f"/teos/{plan['teo']}/plans/{plan['plan']}/publicity/close")
            wait_for(bar, f"{plan['plan']} final", finality(demo, plan))
        bar.at(count, len(plans), "plans")


def finality(demo: Demo, plan: Mapping[str, Any]) -> Callable[[], Progress]:
    """How many results of a plan are final, out of all."""

    def read() -> Progress:
        states = [row["state"] for row in results_of(demo.operator, plan)]
        return len(states) - states.count("publicised"), len(states)

    return read


def open_results(demo: Demo, plan: Mapping[str, Any]) -> int:
    """How many results of a plan are in publicity."""
    done, total = finality(demo, plan)()
    return total - done


def wait_for_credit(demo: Demo, bar: Bar) -> None:
    """Hold each result against what was expected, and wait until the credit bank shows what the passes are worth."""
    results = all_results(demo.operator, demo.samples.plans)
    demo.differences += result_differences(demo.samples.expected["rows"], results)
    rules = {
        (one["scheme"], one["level"]): one["credit_points"]
        for one in demo.operator.listed("creditbank", "/recognition-rules")
    }
    due = holdings_due(results, demo.samples.plans)
    points = sum(rules[scheme, level] for (_, scheme), level in due.items())

    def all_credited() -> tuple[int, int]:
        totals = demo.operator.get("creditbank", "/holdings/totals")
        provisional = sum(row["provisional_points"] for row in totals)
        return sum(row["available_points"] for row in totals) - provisional, points

    wait_for(bar, "credit points available", all_credited)


def report_certificates(demo: Demo, bar: Bar) -> None:
    """The TEOs' certificate reports."""
    demo.upload("certificates", bar)


def wait_for_notices(demo: Demo, bar: Bar) -> None:
    """Wait until everybody was told, and every e-mail has left."""
    expected = sum(one["count"] for one in demo.samples.expected["notices"])

    def all_told() -> tuple[int, int]:
        rows = demo.operator.get("notify", "/notices/counts")
        left = [row for row in rows if row["state"] not in ("queued", "waiting")]
        return sum(row["count"] for row in left), max(expected, sum(row["count"] for row in rows))

    if not reached(bar, "notices", all_told, demo.patience()):
        done, total = all_told()
        demo.differences.append(f"notices stand still at {done} of {total}")


def add_users(demo: Demo, bar: Bar) -> None:
    """Give a learner with several levels of one scheme, and a TEO, their demo sign-in."""
    learner_id = learner_of(demo.speakers[REGISTRY], demo.samples.expected["demo_learner"]["student_number"])
    teo = demo.samples.annex("teos")[0]["code"]
    users = {
        "learner": {"roles": ["learner"], "owns": {"learner": [learner_id]}, "password": DEMO_PASSWORD},
        "teo": {"roles": ["teo"], "owns": {"teo": [teo]}, "password": DEMO_PASSWORD},
    }
    for count, (name, body) in enumerate(users.items(), 1):
        try:
            demo.operator.put("portal", f"/users/{name}", body)
        except Answered as refusal:
            demo.differences.append(f"demo user {name}: {refusal}")
        bar.at(count, len(users))


STAGES = (
    ("annex, calendar, plans", load_annex),
    ("rosters", upload_rosters),
    ("approvals", approve),
    ("classes and places", give_places),
    ("training completed", complete),
    ("candidates", register_candidates),
    ("results", submit_results),
    ("publicity closed", close_publicity),
    ("resits", submit_resits),
    ("publicity of resits closed", close_publicity),
    ("credit", wait_for_credit),
    ("conversion rules", load_conversion),
    ("certificates", report_certificates),
    ("notices", wait_for_notices),
    ("demo users", add_users),
)
