"""Who may sign in, and what is asked of a name, a password and a role."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chassis.errors import Ground
from contracts.terms import Role
from portal.identity.tokens.domain import PORTAL

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 200
FAILURES_ALLOWED = 10
LOCKED_MINUTES = 15
NAME = r"[a-z0-9][a-z0-9._@-]{0,63}"
HUMAN_ROLES = tuple(role for role in Role if role is not Role.SERVICE)
# A role that is always limited, and the kind of thing its holder must own.
LIMITED = {Role.LEARNER: "learner", Role.TEO: "teo"}

SIGN_IN_FAILED = Ground(
    "sign_in_failed",
    en="Name and password do not fit. Check both; capitals count in the password.",
    zh="用户名或密码不正确，请检查后重试（密码区分大小写）。",
    status=401,
)
LOCKED_OUT = Ground(
    "locked_out",
    en="Too many failed sign-ins. Wait {minutes} minutes, or ask the operator for a new password.",
    zh="登录失败次数过多，请等待 {minutes} 分钟，或联系管理员重置密码。",
    status=429,
)
USER_NAME_INVALID = Ground(
    "user_name_invalid",
    en="A sign-in name has 1 to 64 small letters, digits, dots, dashes, underscores or @, no sign first.",
    zh="登录名由 1 至 64 个小写字母、数字、点、连字符、下划线或 @ 组成，以字母或数字开头。",
)
USER_NAME_RESERVED = Ground(
    "user_name_reserved",
    en="The portal itself speaks as {name}. Choose another sign-in name.",
    zh="{name} 为门户自身使用的名称，请另选登录名。",
)
PASSWORD_NEEDED = Ground(
    "password_needed", en="A new user needs a password of at least 8 characters.", zh="新用户需要至少 8 位的密码。"
)
SCOPE_NEEDED = Ground(
    "scope_needed",
    en="The role {role} is always limited: give owns.{kind} with the ids it may act for.",
    zh="角色 {role} 必须限定范围：请在 owns.{kind} 中填写其可操作的编号。",
)


@dataclass(frozen=True)
class User:
    """A person who may sign in. Empty `owns` means the whole college."""

    name: str
    roles: tuple[Role, ...]
    owns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    language: str = "zh"
    disabled: bool = False


def check_name(name: str) -> None:
    """Refuse what can't be a sign-in name. Whoever had the portal's own would be taken for a machine."""
    if not re.fullmatch(NAME, name):
        raise USER_NAME_INVALID()
    if name == PORTAL:
        raise USER_NAME_RESERVED(name=name)


def check_scope(roles: Sequence[Role], owns: Mapping[str, Sequence[str]]) -> None:
    """Refuse a limited role without its limits."""
    for role in roles:
        if role in LIMITED and LIMITED[role] not in owns:
            raise SCOPE_NEEDED(role=role.value, kind=LIMITED[role])
