"""What a sender says of an outcome, whether that is news, and what recognition is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.errors import Ground
from contracts.terms import OutcomeKind, Verdict, kind_of, level_of_kind, plain
from services.creditbank.recognition.domain import Outcome, OutcomeState, scheme_of

COLLEGE = "college"  # the sender of what the college submits without naming another
SUBMITTED, OLD, WITHDRAWN = "OutcomeSubmitted", "OldOutcomeSubmitted", "OutcomeWithdrawn"
RESULT = "outcome:"  # what the ids of such outcomes begin with
AHEAD = timedelta(days=1)  # how far a sender's clock may be in front

CERTIFICATES_ELSEWHERE = Ground(
    "certificates_elsewhere",
    en="X certificates come through the results of their assessment. Submit them there.",
    zh="职业技能等级证书由考核成绩产生，请在考核系统中提交成绩。",
)
EVIDENCE_MISSING = Ground(
    "evidence_missing",
    en="Prior learning needs evidence: write what shows it, or where it is found.",
    zh="先前学习成果须附证明材料，请填写材料说明或链接。",
)
OUTCOME_IN_FUTURE = Ground(
    "outcome_in_future",
    en="{day} has not come yet. Write the day on which the outcome was reached.",
    zh="{day} 尚未到来，请填写取得成果的日期。",
)
AS_OF_AHEAD = Ground(
    "as_of_ahead",
    en="The time of the values, {given}, lies in the future.",
    zh="数据时间 {given} 晚于当前时间，请核对。",
)
SOURCE_UNNAMED = Ground(
    "source_unnamed",
    en="Nobody has said what {scheme} is called. Fill in its title once.",
    zh="{scheme} 尚无名称，请填写一次成果名称。",
)
SOURCE_NOT_YOURS = Ground(
    "source_not_yours",
    en="{scheme} is not among your licences here. Ask the college to enter your organisation for it.",
    zh="{scheme} 未登记为贵单位颁发的职业资格，请联系学校登记。",
    status=403,
)
KIND_UNKNOWN = Ground(
    "outcome_kind_unknown",
    en="'{text}' is no kind of outcome known here. Write 职业资格证书, 课程, 学历证书, 培训, 在线课程 or 先前学习成果.",
    zh="“{text}”不是可识别的成果类别，请填写职业资格证书、课程、学历证书、培训、在线课程或先前学习成果。",
)
STATE_UNKNOWN = Ground(
    "outcome_state_unknown",
    en="'{text}' is no state of an outcome. Write 公示, 有效 or 撤回.",
    zh="“{text}”不是可识别的成果状态，请填写公示、有效或撤回。",
)
OF_ANOTHER_LEARNER = Ground(
    "outcome_of_another_learner",
    en="{external_id} is another learner's outcome. Withdraw that one, and submit this under an id of its own.",
    zh="{external_id} 已属于另一学习者，请先撤回，再以新的编号提交。",
    status=409,
)
OF_ANOTHER_SOURCE = Ground(
    "outcome_of_another_source",
    en="{external_id} was submitted for {scheme}. Withdraw that one, and submit this under an id of its own.",
    zh="{external_id} 此前提交的是 {scheme}，请先撤回，再以新的编号提交。",
    status=409,
)
OUTCOME_OLDER = Ground(
    "outcome_older",
    en="{external_id} is known here as of {as_of}, which is later. Send its newest state.",
    zh="系统中 {external_id} 的数据时间为 {as_of}，晚于本次提交，请提交最新数据。",
    status=409,
)
OUTCOME_CONFLICT = Ground(
    "outcome_conflict",
    en="{external_id} is known as of the same instant {as_of} with other values. Find out which are right, and send "
    "them with a later as_of.",
    zh="{external_id} 在同一数据时间 {as_of} 已有不同内容，请核实后以更晚的数据时间提交。",
    status=409,
)


class State(StrEnum):
    """What its sender says of an outcome."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    WITHDRAWN = "withdrawn"


KINDS_AS_WRITTEN = {
    OutcomeKind.CERTIFICATE: "certificate 职业技能等级证书 职业技能等级 X证书 1+X证书",
    OutcomeKind.LICENCE: "licence 职业资格证书 职业资格 国家职业资格证书 国家职业资格",
    OutcomeKind.COURSE: "course 课程 校内课程",
    OutcomeKind.DIPLOMA: "diploma 学历证书 学历 毕业证书 学历教育",
    OutcomeKind.TRAINING: "training 培训 培训证书",
    OutcomeKind.ONLINE: "online 在线课程 网络课程 慕课 MOOC",
    OutcomeKind.PRIOR: "prior 先前学习成果 先前学习 先前学习经历 工作经历",
}
KIND_WORDS = {word.lower(): kind for kind, words in KINDS_AS_WRITTEN.items() for word in words.split()}
STATES_AS_WRITTEN = {
    State.PROVISIONAL: "provisional 公示 公示中 暂定 待定",
    State.FINAL: "final 有效 已生效 生效 正式 合格",
    State.WITHDRAWN: "withdrawn 撤回 已撤回 撤销 已撤销 作废 无效",
}
STATE_WORDS = {word: state for state, words in STATES_AS_WRITTEN.items() for word in words.split()}
STATES = {
    State.PROVISIONAL: OutcomeState.PUBLICISED,
    State.FINAL: OutcomeState.FINAL,
    State.WITHDRAWN: OutcomeState.ANNULLED,
}


@dataclass(frozen=True, slots=True)
class Item:
    """An outcome as its sender writes it; `level` by the words of its kind."""

    external_id: str
    kind: OutcomeKind
    code: str
    learner_id: str
    day: date
    state: State
    as_of: datetime
    level: str = ""
    title: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose external ids these are; `teo` for an organisation that may speak of its own licences alone."""

    code: str = COLLEGE
    teo: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """An outcome as it was submitted last: known by its sender's external id, in its latest revision.

    `day`: when it was reached. `as_of`: when its sender knew it so. `is_old`: it was older than is worth a notice when
    it came. `cause`: the import's row or the request it came by.
    """

    sender: str
    external_id: str
    scheme: str
    level: int
    learner_id: str
    day: date
    state: State
    as_of: datetime
    evidence: str = ""
    revision: int = 1
    is_old: bool = False
    submitted_by: str = ""

    @property
    def place(self) -> str:
        return place_of(self.sender, self.external_id)

    def says(self, other: Submission) -> bool:
        """Whether it says the same as another, whenever and however it came."""
        told = ("level", "day", "state", "evidence")
        return all(getattr(self, name) == getattr(other, name) for name in told)


@dataclass(frozen=True, slots=True)
class Source:
    """What outcomes come from: `licence.electrician`; what it is called, and the organisation whose licence it is."""

    scheme: str
    title: str
    teo: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """A training for a scheme's level that a learner completed, as it was announced."""

    learner_id: str
    class_code: str
    scheme: str
    level: int
    completed_on: date
    cause: str

    @property
    def place(self) -> str:
        return f"training:{self.learner_id}:{self.class_code}:{self.scheme}:{self.level}"


@dataclass(frozen=True, slots=True)
class Known:
    """What submissions are judged against."""

    submissions: Mapping[str, Submission]
    sources: Mapping[str, Source]
    today: date
    old_after_days: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a submission does. `source`: news of what its source is called. `renews`: the same, but known later."""

    before: Submission | None
    after: Submission
    source: Source | None = None

    @property
    def is_change(self) -> bool:
        return self.before is None or self.after.revision > self.before.revision

    @property
    def renews(self) -> bool:
        return self.before != self.after or self.source is not None


@dataclass
class Intake:
    """Judges submissions in their order, each as if those before it were kept."""

    known: Known
    kept: dict[str, Submission] = field(default_factory=dict)
    named: dict[str, Source] = field(default_factory=dict)

    def weigh(self, item: Item, sender: Sender, submitted_by: str = "") -> Weighed:
        """What an item does; Refusal when it can't be taken."""
        arriving = self._submission_of(item, sender, submitted_by)
        source = self._source_of(item, arriving.scheme, sender)
        before = self.kept.get(arriving.place) or self.known.submissions.get(arriving.place)
        after = followed(before, arriving) if before else arriving
        is_named = arriving.scheme in self.named or arriving.scheme in self.known.sources
        self.kept[after.place], self.named[source.scheme] = after, source
        return Weighed(before, after, None if is_named else source)

    def _submission_of(self, item: Item, sender: Sender, submitted_by: str) -> Submission:
        scheme = scheme_in(item.kind, item.code)
        check_said(item, self.known)
        return Submission(
            sender=sender.code,
            external_id=item.external_id,
            scheme=scheme,
            level=level_of_kind(item.level, item.kind),
            learner_id=item.learner_id,
            day=item.day,
            state=item.state,
            as_of=as_kept(item.as_of),
            evidence=item.evidence,
            is_old=self.known.today - item.day > timedelta(days=self.known.old_after_days),
            submitted_by=submitted_by,
        )

    def _source_of(self, item: Item, scheme: str, sender: Sender) -> Source:
        found = self.named.get(scheme) or self.known.sources.get(scheme)
        if sender.teo and (item.kind is not OutcomeKind.LICENCE or found is None or found.teo != sender.teo):
            raise SOURCE_NOT_YOURS(scheme=scheme)
        if found is None and not item.title:
            raise SOURCE_UNNAMED(scheme=scheme)
        return found or Source(scheme, item.title)


def check_said(item: Item, known: Known) -> None:
    """Refuse prior learning without evidence, and what lies ahead."""
    if item.kind is OutcomeKind.PRIOR and not item.evidence:
        raise EVIDENCE_MISSING()
    if item.day > known.today:
        raise OUTCOME_IN_FUTURE(day=item.day)
    if item.as_of.date() > known.today + AHEAD:
        raise AS_OF_AHEAD(given=item.as_of.isoformat())


def followed(before: Submission, arriving: Submission) -> Submission:
    """What is known of an outcome after a later word of its sender; Refusal for an older one, a contradiction, or
    another outcome under the same id."""
    name = {"external_id": before.external_id}
    if arriving.scheme != before.scheme:
        raise OF_ANOTHER_SOURCE(**name, scheme=before.scheme)
    if arriving.learner_id != before.learner_id:
        raise OF_ANOTHER_LEARNER(**name)
    if arriving.as_of < before.as_of:
        raise OUTCOME_OLDER(**name, as_of=before.as_of.isoformat())
    if arriving.says(before):
        return replace(before, as_of=arriving.as_of)
    if arriving.as_of == before.as_of:
        raise OUTCOME_CONFLICT(**name, as_of=before.as_of.isoformat())
    return replace(arriving, revision=before.revision + 1)


def outcome_of(one: Submission) -> Outcome:
    """The same as recognition takes it in; its cause names this word of its sender alone."""
    return Outcome(
        learner_id=one.learner_id,
        result_id=RESULT + one.place,
        scheme=one.scheme,
        level=one.level,
        revision=one.revision,
        state=STATES[one.state],
        verdict=Verdict.PASSED,
        session_date=one.day,
        cause=f"{RESULT}{one.place}:{one.as_of.isoformat()}",
        what=what_of(one),
    )


def what_of(one: Submission) -> str:
    """What entries say of it."""
    if one.state is State.WITHDRAWN:
        return WITHDRAWN
    return OLD if one.is_old else SUBMITTED


def scheme_in(kind: OutcomeKind, code: str) -> str:
    """The source of outcomes of a kind; Refusal for X certificates, and for a code that may not stand in addresses."""
    if kind is OutcomeKind.CERTIFICATE:
        raise CERTIFICATES_ELSEWHERE()
    return scheme_of(f"{kind}.{code}")


def kind_in_words(text: str) -> OutcomeKind:
    """A kind of outcome as people write it."""
    kind = KIND_WORDS.get("".join(plain(text).lower().split()))
    if kind is None:
        raise KIND_UNKNOWN(text=text)
    return kind


def state_in_words(text: str) -> State:
    """A state as people write it; nothing means that it is final."""
    state = STATE_WORDS.get(plain(text).lower()) if plain(text) else State.FINAL
    if state is None:
        raise STATE_UNKNOWN(text=text)
    return state


def place_of(sender: str, external_id: str) -> str:
    """By what a submission is known."""
    return f"{sender}:{external_id}"


def kind_and_code(scheme: str) -> tuple[OutcomeKind, str]:
    """A source's kind and its code within it."""
    return kind_of(scheme), scheme.partition(".")[2]


def as_kept(moment: datetime) -> datetime:
    """An instant to the millisecond, as it comes back when it was stored."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
