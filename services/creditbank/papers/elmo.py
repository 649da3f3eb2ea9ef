"""A learner's final passes as an ELMO file, in which universities of the EMREX network read results from abroad."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from contracts.terms import level_words
from services.creditbank.papers.domain import Addresses, instant

NAMESPACE = "https://github.com/emrex-eu/elmo-schemas/tree/v1"
LANG = "xml:lang"
COUNTRY = "CN"
CREDIT_SCHEME = "1+X"  # no ECTS: a receiving university converts by its own rule
ISSUER = {"zh": "1+X 学分银行", "en": "1+X Credit Bank"}
HAN_NAME = re.compile(r"[㐀-鿿\U00020000-\U000323af]{2,4}")
DOUBLE_SURNAMES = frozenset(
    re.findall(
        "..",
        "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容"
        "仲孙钟离长孙宇文司徒鲜于司空闾丘子车亓官司寇巫马公西颛孙壤驷公良漆雕乐正宰父谷梁拓跋夹谷轩辕令狐"
        "段干百里呼延东郭南门羊舌微生公户公玉公仪梁丘公仲公上公门公山公坚左丘公伯西门公祖第五公乘贯丘",
    )
)


@dataclass(frozen=True, slots=True)
class Passed:
    """A final pass as a file abroad tells it."""

    result_id: str
    scheme: str
    scheme_name: str
    level: int
    session_date: date
    credit_points: int


def written(learner_id: str, name: str, passes: Iterable[Passed], at: Addresses, made_at: datetime) -> bytes:
    """The file: who, by whom, and each pass with its credits."""
    elmo = Element("elmo", {"xmlns": NAMESPACE})
    _add(elmo, "generatedDate", instant(made_at))
    learner = SubElement(elmo, "learner")
    _add(learner, "identifier", learner_id, type="local")
    given_names, family_name = parts_of(name)
    _add(learner, "givenNames", given_names)
    _add(learner, "familyName", family_name)
    report = SubElement(elmo, "report")
    _add_issuer(report, at)
    for one in passes:
        _add_pass(report, one)
    _add(report, "issueDate", instant(made_at))
    indent(elmo)
    content: bytes = tostring(elmo, encoding="utf-8", xml_declaration=True)
    return content


def parts_of(name: str) -> tuple[str, str]:
    """Given names and family name. Where nobody can tell, ELMO wants the family name empty."""
    if not HAN_NAME.fullmatch(name):
        return name, ""
    length = 2 if name[:2] in DOUBLE_SURNAMES and len(name) > 2 else 1
    return name[length:], name[:length]


def credits_of(credit_points: int) -> str:
    """Points as credits, 100 to one, without a float: 250 is `2.50`."""
    return f"{credit_points // 100}.{credit_points % 100:02d}"


def _add_issuer(report: Element, at: Addresses) -> None:
    issuer = SubElement(report, "issuer")
    _add(issuer, "country", COUNTRY)
    _add(issuer, "identifier", at.papers_url, type="local")
    for language, title in ISSUER.items():
        _add(issuer, "title", title, **{LANG: language})
    _add(issuer, "url", at.public_url)


def _add_pass(report: Element, one: Passed) -> None:
    zh_level, en_level = level_words(one.scheme, one.level)
    opportunity = SubElement(report, "learningOpportunitySpecification")
    _add(opportunity, "identifier", f"{one.scheme}:{one.level}", type="local")
    _add(opportunity, "title", f"{one.scheme_name} {zh_level}".rstrip(), **{LANG: "zh"})
    _add(opportunity, "title", f"{one.scheme}, {en_level}".removesuffix(", "), **{LANG: "en"})
    instance = SubElement(SubElement(opportunity, "specifies"), "learningOpportunityInstance")
    _add(instance, "identifier", one.result_id, type="local")
    _add(instance, "date", one.session_date.isoformat())
    _add(instance, "status", "passed")
    credit = SubElement(instance, "credit")
    _add(credit, "scheme", CREDIT_SCHEME)
    _add(credit, "value", credits_of(one.credit_points))


def _add(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = text
