"""The words all five services share: levels, roles, identity documents, verdicts."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from enum import IntEnum, StrEnum

from stdnum.cn import ric, uscc

from chassis.errors import Ground

LEVEL_UNKNOWN = Ground(
    "level_unknown",
    en="'{text}' is not a level. Write 初级, 中级, 高级 or 1, 2, 3.",
    zh="“{text}”不是有效等级，请填写初级、中级、高级或 1、2、3。",
)
LEVEL_OUTSIDE_KIND = Ground(
    "level_outside_kind",
    en="'{text}' is no level of a {kind_en}. Write it by the words of its kind, like 五级 or 初级 for a state licence.",
    zh="“{text}”不是{kind_zh}的有效等级，请按该类成果的等级填写（如职业资格证书填写五级或初级）。",
)
DOCUMENT_TYPE_UNKNOWN = Ground(
    "document_type_unknown",
    en="'{text}' is no document known here: 居民身份证, 护照, 港澳居民来往内地通行证 or 台湾居民来往大陆通行证.",
    zh="“{text}”不是可识别的证件类型，请填写居民身份证、护照、港澳居民来往内地通行证或台湾居民来往大陆通行证。",
)
IDENTITY_LENGTH = Ground(
    "identity_length",
    en="An identity number has 18 characters; this one has {length}. Copy it again from the card.",
    zh="公民身份号码应为 18 位，此处为 {length} 位，请对照证件重新填写。",
)
IDENTITY_CHECK_DIGIT = Ground(
    "identity_check_digit",
    en="The identity number's check digit does not fit. Copy it again from the card.",
    zh="公民身份号码校验位不符，请对照证件重新填写。",
)
IDENTITY_DATE = Ground(
    "identity_date",
    en="The identity number holds no calendar date of birth. Copy it again from the card.",
    zh="公民身份号码中的出生日期不存在，请对照证件重新填写。",
)
DOCUMENT_NUMBER_EMPTY = Ground(
    "document_number_empty", en="The document number is missing. Fill it in.", zh="缺少证件号码，请补填。"
)
SCHEME_UNKNOWN = Ground(
    "scheme_unknown",
    en="There is no certificate '{text}' here. Check its name, or wait until the exam office has published it.",
    zh="没有名为“{text}”的证书，请核对证书名称，或等待考务发布。",
)
LEVEL_NOT_OFFERED = Ground(
    "level_not_offered",
    en="{scheme} has no level {level}. Choose one of: {offered}.",
    zh="{scheme}没有等级 {level}，可选：{offered}。",
)
LEARNER_UNKNOWN = Ground(
    "learner_unknown",
    en="No learner with this identity document is known here. Upload the roster with this person first.",
    zh="系统中没有该证件对应的学习者，请先在学生名册中登记此人。",
)
NOT_ENROLLED = Ground(
    "not_enrolled",
    en="This learner has no approved application for {scheme}, level {level}. Have it approved first.",
    zh="该学习者没有已批准的 {scheme} {level} 级报名，请先审批报名。",
)
COURSE_KIND_UNKNOWN = Ground(
    "course_kind_unknown",
    en="'{text}' is no kind of course known here. Write 基础, 核心, 选修 or 实践.",
    zh="“{text}”不是可识别的课程类别，请填写基础、核心、选修或实践。",
)
CREDIT_MALFORMED = Ground(
    "credit_malformed",
    en="'{text}' is no number of credits. Write one from 0.01 to 100 with at most two decimals, like 2.5.",
    zh="“{text}”不是有效学分，请填写 0.01 至 100、最多两位小数的数值，如 2.5。",
)
CREDIT_CODE_INVALID = Ground(
    "credit_code_invalid",
    en="'{code}' is not a unified social credit code: 18 characters with a check digit (GB 32100).",
    zh="“{code}”不是有效的统一社会信用代码（18 位，含校验位，GB 32100）。",
)


class Level(IntEnum):
    """等级 of an X certificate, by its national grade code."""

    ELEMENTARY = 1
    INTERMEDIATE = 2
    ADVANCED = 3

    @property
    def zh(self) -> str:
        return "初中高"[self - 1] + "级"

    @property
    def en(self) -> str:
        return ("elementary", "intermediate", "advanced")[self - 1]


class OutcomeKind(StrEnum):
    """学习成果 by what it is."""

    CERTIFICATE = "certificate"  # 职业技能等级证书, the X certificate
    LICENCE = "licence"  # 职业资格证书
    COURSE = "course"
    DIPLOMA = "diploma"
    TRAINING = "training"
    ONLINE = "online"  # an online course
    PRIOR = "prior"  # prior learning 先前学习成果, with evidence


KIND_WORDS: dict[OutcomeKind, tuple[str, str]] = {
    OutcomeKind.CERTIFICATE: ("职业技能等级证书", "skill certificate"),
    OutcomeKind.LICENCE: ("职业资格证书", "state licence"),
    OutcomeKind.COURSE: ("课程", "course"),
    OutcomeKind.DIPLOMA: ("学历证书", "diploma"),
    OutcomeKind.TRAINING: ("培训", "training"),
    OutcomeKind.ONLINE: ("在线课程", "online course"),
    OutcomeKind.PRIOR: ("先前学习成果", "prior learning"),
}
LEVELS_OF_SKILL = {level.value: (level.zh, level.en) for level in Level}
THE_ONLY_LEVEL = {1: ("", "")}

# The levels of each kind by their national code, with their words. Of licences 1 is the highest: their words run the
# other way (初级 = 五级).
LEVEL_NAMES: dict[OutcomeKind, dict[int, tuple[str, str]]] = {
    OutcomeKind.CERTIFICATE: LEVELS_OF_SKILL,
    OutcomeKind.LICENCE: {
        5: ("五级（初级工）", "level five (elementary)"),
        4: ("四级（中级工）", "level four (intermediate)"),
        3: ("三级（高级工）", "level three (advanced)"),
        2: ("二级（技师）", "level two (technician)"),
        1: ("一级（高级技师）", "level one (senior technician)"),
    },
    OutcomeKind.COURSE: THE_ONLY_LEVEL,
    OutcomeKind.DIPLOMA: {
        1: ("中专", "secondary vocational"),
        2: ("大专", "junior college"),
        3: ("本科", "bachelor"),
        4: ("硕士", "master"),
        5: ("博士", "doctor"),
    },
    OutcomeKind.TRAINING: LEVELS_OF_SKILL,
    OutcomeKind.ONLINE: THE_ONLY_LEVEL,
    OutcomeKind.PRIOR: THE_ONLY_LEVEL,
}
SKILL_WORDS = {"1": 1, "一": 1, "初": 1, "2": 2, "二": 2, "中": 2, "3": 3, "三": 3, "高": 3}
LICENCE_LEVELS = {5: "5 五 V 初", 4: "4 四 IV 中", 3: "3 三 III 高", 2: "2 二 II 技师", 1: "1 一 I 高级技师"}
LICENCE_WORDS = {word: level for level, words in LICENCE_LEVELS.items() for word in words.split()}
DIPLOMA_LEVELS = {1: "1 中专 中职", 2: "2 大专 专科 高职", 3: "3 本科 学士", 4: "4 硕士 研究生", 5: "5 博士"}
DIPLOMA_WORDS = {word: level for level, words in DIPLOMA_LEVELS.items() for word in words.split()}
LEVEL_WORDS: dict[OutcomeKind, dict[str, int]] = {
    OutcomeKind.LICENCE: LICENCE_WORDS,
    OutcomeKind.COURSE: {"": 1, "1": 1},
    OutcomeKind.DIPLOMA: DIPLOMA_WORDS,
    OutcomeKind.TRAINING: {"": 1} | SKILL_WORDS,
    OutcomeKind.ONLINE: {"": 1, "1": 1},
    OutcomeKind.PRIOR: {"": 1, "1": 1},
}
BETWEEN_WORDS = re.compile(r"[/、,()]")
AROUND_WORDS = re.compile(r"^(国家)?职业资格|(级|工|技能)+$")


class Role(StrEnum):
    """Who acts. LEARNER and TEO tokens are always limited to their own learner or organisation."""

    LEARNER = "learner"
    TRAINER = "trainer"  # 教师: classes and completions
    DEPARTMENT = "department"  # 院系
    REGISTRY = "registry"  # 教务
    EXAM_OFFICE = "exam_office"  # 考务: plans, candidates
    TEO = "teo"  # 培训评价组织
    OPERATOR = "operator"  # runs the stack and its reference data
    AUDITOR = "auditor"
    SERVICE = "service"  # another of the five services, or the portal


class DocumentType(StrEnum):
    """证件类型."""

    RESIDENT = "resident"  # 居民身份证 and 港澳台居民居住证: an 18-digit number
    PASSPORT = "passport"
    HK_MACAU_PERMIT = "hk_macau_permit"  # 港澳居民来往内地通行证
    TAIWAN_PERMIT = "taiwan_permit"  # 台湾居民来往大陆通行证


DOCUMENT_WORDS = {
    "": DocumentType.RESIDENT,
    "居民身份证": DocumentType.RESIDENT,
    "身份证": DocumentType.RESIDENT,
    "港澳台居民居住证": DocumentType.RESIDENT,
    "护照": DocumentType.PASSPORT,
    "港澳居民来往内地通行证": DocumentType.HK_MACAU_PERMIT,
    "台湾居民来往大陆通行证": DocumentType.TAIWAN_PERMIT,
    **{kind.value: kind for kind in DocumentType},
}


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "absent"  # 缺考
    MALPRACTICE = "malpractice"  # 违纪


class LearnerKind(StrEnum):
    STUDENT = "student"  # 在校生
    COMMUNITY = "community"  # 社会成员


class CourseKind(StrEnum):
    """课程类别: what a course is to its programme."""

    FOUNDATION = "foundation"  # 基础
    CORE = "core"  # 核心
    ELECTIVE = "elective"  # 选修
    PRACTICE = "practice"  # 实践


COURSE_KIND_WORDS = {
    "基础": CourseKind.FOUNDATION,
    "公共基础": CourseKind.FOUNDATION,
    "专业基础": CourseKind.FOUNDATION,
    "公共必修": CourseKind.FOUNDATION,
    "核心": CourseKind.CORE,
    "专业核心": CourseKind.CORE,
    "选修": CourseKind.ELECTIVE,
    "公共选修": CourseKind.ELECTIVE,
    "专业选修": CourseKind.ELECTIVE,
    "专业拓展": CourseKind.ELECTIVE,
    "实践": CourseKind.PRACTICE,
    "集中实践": CourseKind.PRACTICE,
    "实训": CourseKind.PRACTICE,
    **{kind.value: kind for kind in CourseKind},
}
POINTS_OF_CREDIT = 100
MOST_CREDITS = 100
CREDITS = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2})0*)?")


class StudyStatus(StrEnum):
    """学籍状态."""

    ENROLLED = "enrolled"  # 在读
    SUSPENDED = "suspended"  # 休学
    WITHDRAWN = "withdrawn"  # 退学
    GRADUATED = "graduated"  # 毕业


def plain(text: str) -> str:
    """What a person meant to type: full-width forms made narrow, outer spaces gone."""
    return unicodedata.normalize("NFKC", text).strip()


def level_of(text: str) -> Level:
    """Read a level of an X certificate as people write it: `3`, `3级`, `高级`, `高`, full-width digits."""
    value = SKILL_WORDS.get(plain(text).removesuffix("级"))
    if value is None:
        raise LEVEL_UNKNOWN(text=text)
    return Level(value)


def level_of_kind(text: str, kind: OutcomeKind) -> int:
    """Read a level by the words of its kind; `五级/初级工` says it twice and has to agree with itself."""
    if kind is OutcomeKind.CERTIFICATE:
        return level_of(text)
    parts = [AROUND_WORDS.sub("", part.strip()) for part in BETWEEN_WORDS.split(plain(text))]
    found = {LEVEL_WORDS[kind].get(part, 0) for part in parts if part} or {LEVEL_WORDS[kind].get("", 0)}
    if len(found) > 1 or 0 in found:
        raise LEVEL_OUTSIDE_KIND(text=text, kind_zh=KIND_WORDS[kind][0], kind_en=KIND_WORDS[kind][1])
    return found.pop()


def kind_of(scheme: str) -> OutcomeKind:
    """Of what kind a scheme or other source is: `licence.electrician` is a licence; X schemes say none."""
    kind, _, code = scheme.partition(".")
    return OutcomeKind(kind) if code else OutcomeKind.CERTIFICATE


def rank_of(scheme: str, level: int) -> int:
    """How high a level stands among those of its kind, 0 for none: of licences 1 is the highest."""
    return 6 - level if level and kind_of(scheme) is OutcomeKind.LICENCE else level


def level_words(scheme: str, level: int | None) -> tuple[str, str]:
    """What a level of a scheme or other source is called, in Chinese and English; nothing for none."""
    return LEVEL_NAMES[kind_of(scheme)].get(level or 0, ("", ""))


def course_kind_of(text: str) -> CourseKind:
    """Read a kind of course as people write it: 核心, 专业核心课, core."""
    word = "".join(plain(text).lower().split()).removesuffix("程").removesuffix("课")
    if word not in COURSE_KIND_WORDS:
        raise COURSE_KIND_UNKNOWN(text=text)
    return COURSE_KIND_WORDS[word]


def credit_points_of(text: str) -> int:
    """Credits as people write them, 2, 2.0 or 2.5, in points; never by way of a float."""
    found = CREDITS.fullmatch(plain(text))
    points = int(found[1]) * POINTS_OF_CREDIT + int((found[2] or "").ljust(2, "0")) if found else 0
    if not 0 < points <= MOST_CREDITS * POINTS_OF_CREDIT:
        raise CREDIT_MALFORMED(text=text)
    return points


def credits_of(credit_points: int) -> str:
    """Points as people read them in credits: 400 is 4.0."""
    whole, rest = divmod(credit_points, POINTS_OF_CREDIT)
    return f"{whole}.{rest // 10}" if rest % 10 == 0 else f"{whole}.{rest:02d}"


def document_type_of(text: str) -> DocumentType:
    """Read a kind of identity document; an empty cell means the resident's card."""
    kind = DOCUMENT_WORDS.get(plain(text))
    if kind is None:
        raise DOCUMENT_TYPE_UNKNOWN(text=text)
    return kind


def document_number_of(kind: DocumentType, text: str) -> str:
    """The number as it is kept: narrow, upper case, without spaces; residents' numbers are checked."""
    number = re.sub(r"\s", "", plain(text)).upper()
    if not number:
        raise DOCUMENT_NUMBER_EMPTY()
    return identity_number_of(number) if kind is DocumentType.RESIDENT else number


def identity_number_of(number: str) -> str:
    """Check a 公民身份号码 by check digit and calendar date only (GB 11643); the place never refuses."""
    if len(number) != 18 or not number[:17].isdecimal() or number[17] not in "0123456789X":
        raise IDENTITY_LENGTH(length=len(number)) if len(number) != 18 else IDENTITY_CHECK_DIGIT()
    if number[17] != ric.calc_check_digit(number):  # its `validate` would refuse real people by their place
        raise IDENTITY_CHECK_DIGIT()
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise IDENTITY_DATE() from None
    return number


def mask(number: str) -> str:
    """Show three characters in front and four behind: `110***********002X`."""
    if len(number) < 8:
        return "*" * len(number)
    return number[:3] + "*" * (len(number) - 7) + number[-4:]


def mask_name(name: str) -> str:
    """黄玉梅 → 黄**."""
    return name[:1] + "*" * max(len(name) - 1, 1)


def name_of(text: str) -> str:
    """A person's name as it is kept: trimmed, with one kind of middle dot; rare characters stay."""
    return re.sub(r"\s+", " ", text.replace("\u3000", " ").strip()).replace("•", "·").replace("・", "·")


def credit_code_of(text: str) -> str:
    """Check a unified social credit code (GB 32100: weights 3^i mod 31)."""
    code = plain(text).upper()
    if not uscc.is_valid(code):
        raise CREDIT_CODE_INVALID(code=text)
    return code
