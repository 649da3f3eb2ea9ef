"""What a reconciliation found, as lines of a sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chassis.errors import Language
from chassis.sheet.cells import Cell
from chassis.sheet.export import Table
from chassis.sheet.saved import Values
from chassis.sheet.saving import TableKind
from contracts.terms import Role
from services.creditbank.reconciliation import queries
from services.creditbank.reconciliation.remedies import told
from services.creditbank.reconciliation.runs import Discrepancy, State

HEADINGS: dict[Language, Sequence[str]] = {
    "zh": (
        "编号",
        "类别",
        "状态",
        "评价组织",
        "证书",
        "等级",
        "证书编号",
        "学习者",
        "成绩",
        "报表行",
        "此处",
        "对方",
        "差异",
        "处理办法",
        "由谁处理",
        "报送内容",
        "审批人",
    ),
    "en": (
        "Discrepancy",
        "Kind",
        "State",
        "TEO",
        "Scheme",
        "Level",
        "Certificate number",
        "Learner",
        "Result",
        "Row",
        "Here",
        "There",
        "What is wrong",
        "What mends it",
        "Who",
        "What to send",
        "Approved by",
    ),
}
STATES: dict[State, str] = {
    State.OPEN: "待处理",
    State.TASKED: "已交办",
    State.MENDED: "已更正",
    State.CLOSED: "已消除",
    State.CARRIED_ON: "由后续对账接续",
}


def read_discrepancies(values: Values, language: Language) -> Table:
    """What a comparison found; Refusal when there is no such comparison."""
    filters = {name: value for name, value in values.items() if name != "number"}
    count, found = queries.discrepancies_to_save(values["number"], filters)
    return Table(HEADINGS[language], count, lines_of(found, language))


FOUND = TableKind("discrepancies", (Role.TEO, Role.REGISTRY, Role.OPERATOR, Role.AUDITOR), read_discrepancies)


def lines_of(found: Iterable[Discrepancy], language: Language) -> Iterator[Sequence[Cell]]:
    """A line for each discrepancy."""
    for one in found:
        finding, said = one.finding, told(one.finding)
        is_zh = language == "zh"
        yield [
            one.id,
            str(finding.kind),
            STATES[one.state] if is_zh else str(one.state),
            finding.teo,
            finding.scheme,
            finding.level or "",
            finding.certificate_number,
            finding.learner_id,
            finding.result_id,
            finding.row or "",
            finding.here,
            finding.there,
            said.zh if is_zh else said.en,
            said.mend_zh if is_zh else said.mend_en,
            said.party or "creditbank",
            said.request,
            one.approved_by,
        ]
