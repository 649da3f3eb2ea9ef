"""Settings: read once from the environment, by the doors of a process only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service reads; a field `service_port` is the variable `SERVICE_PORT`.

    `keep_imports_days`: for how long the file and the rows of an import are kept after it ended.
    """

    mongo: str
    database: str
    portal_url: str
    client_secret: str
    seal_key: str
    kafka: str = ""
    service_port: int = 0
    worker_port: int = 0
    log_level: str = "INFO"
    demo: str = ""
    peers: str = ""

    def addresses(self) -> dict[str, str]:
        """The other services' addresses by name; SystemExit when they can't be read."""
        pairs = [peer.partition("=") for peer in self.peers.split()]
        if any(not name or not url for name, _, url in pairs):
            raise SystemExit(f"PEERS is malformed: '{self.peers}'. Write name=url, with spaces between.")
        return {name: url for name, _, url in pairs}

    keep_imports_days: Annotated[int, msgspec.Meta(ge=1)] = 30


Read = TypeVar("Read", bound=msgspec.Struct)


def read(settings_type: type[Read], environment: Mapping[str, str] | None = None) -> Read:
    """Read settings of a type from the environment; SystemExit names everything missing or malformed."""
    given = os.environ if environment is None else environment
    fields = msgspec.structs.fields(settings_type)
    missing = [
        field.encode_name.upper() for field in fields if field.required and not given.get(field.encode_name.upper())
    ]
    if missing:
        raise SystemExit(f"These settings are missing from the environment: {', '.join(missing)}.")
    present = {field.name: given[field.encode_name.upper()] for field in fields if given.get(field.encode_name.upper())}
    try:
        return msgspec.convert(present, settings_type, strict=False)
    except msgspec.ValidationError as error:
        raise SystemExit(f"A setting is malformed: {error}.") from error
