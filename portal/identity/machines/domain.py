"""Machines: who they are, and what makes a secret theirs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import Ground, Refusal
from contracts.terms import Role, credit_code_of

CLIENT_ID = r"[a-z0-9][a-z0-9._-]{0,63}"
SECRETS_AT_ONCE = 2
SECRET_BYTES = 32
SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")
BUILT_IN: dict[str, Role] = dict.fromkeys((*SERVICES, "portal"), Role.SERVICE) | {
    "onex": Role.OPERATOR,
    "auditor": Role.AUDITOR,
}
DEMO: dict[str, Role] = {
    "demo-registry": Role.REGISTRY,
    "demo-exam-office": Role.EXAM_OFFICE,
    "demo-trainer": Role.TRAINER,
    "demo-operator": Role.OPERATOR,
    "demo-auditor": Role.AUDITOR,
    "demo-department": Role.DEPARTMENT,
}
DEMO_TEO = "demo-teo-"

CLIENT_ID_INVALID = Ground(
    "client_id_invalid",
    en="A client id has 1 to 64 small letters, digits, dots, dashes or underscores, and starts with a letter or digit.",
    zh="客户端编号由 1 至 64 个小写字母、数字、点、连字符或下划线组成，以字母或数字开头。",
)
CLIENT_BUILT_IN = Ground(
    "client_built_in",
    en="{id} belongs to the system; its secret comes from CLIENTS_KEY. Choose another id.",
    zh="{id} 为系统内置客户端，其密钥由 CLIENTS_KEY 派生，请使用其他编号。",
    status=409,
)
TWO_SECRETS = Ground(
    "two_secrets",
    en="This client has two secrets already. Revoke the old one first.",
    zh="该客户端已有两个密钥，请先吊销旧密钥。",
    status=409,
)


@dataclass(frozen=True)
class Secret:
    """What is kept of a secret: its number and when it was made."""

    number: int
    made_at: datetime


@dataclass(frozen=True)
class Machine:
    """A program that may get tokens. Empty `owns` means the whole college."""

    client_id: str
    roles: tuple[Role, ...]
    owns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    disabled: bool = False
    secrets: tuple[Secret, ...] = ()


def check_client_id(client_id: str) -> None:
    """Refuse what can't be a client id, or is one of the system's."""
    if not re.fullmatch(CLIENT_ID, client_id):
        raise CLIENT_ID_INVALID()
    if client_id in BUILT_IN or client_id.startswith("demo-"):
        raise CLIENT_BUILT_IN(id=client_id)


def built_in(client_id: str, is_demo: bool) -> Machine | None:
    """The machine of the system with this id; those of the demonstration only in one."""
    if client_id in BUILT_IN:
        return Machine(client_id, (BUILT_IN[client_id],))
    if not is_demo:
        return None
    if client_id in DEMO:
        return Machine(client_id, (DEMO[client_id],))
    return _demo_teo(client_id) if client_id.startswith(DEMO_TEO) else None


def _demo_teo(client_id: str) -> Machine | None:
    """The machine of an assessment organisation in the demonstration, named by its credit code."""
    try:
        code = credit_code_of(client_id.removeprefix(DEMO_TEO))
    except Refusal:
        return None
    return Machine(client_id, (Role.TEO,), {"teo": (code,)})


def derived_secret(clients_key: bytes, client_id: str) -> str:
    """The secret of a machine of the system."""
    digest = hmac.new(clients_key, client_id.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_secret() -> str:
    """A secret nobody can guess."""
    return secrets.token_urlsafe(SECRET_BYTES)


def secret_digest(clients_key: bytes, secret: str) -> str:
    """What is kept of a secret: useless without the key. Fast, since a secret has 256 bits."""
    pepper = hmac.new(clients_key, b"onex client secrets", hashlib.sha256).digest()
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Compare without telling by the time it takes how much was right."""
    return hmac.compare_digest(one.encode(), other.encode())
