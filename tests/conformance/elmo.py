"""Our ELMO files against the format's public schema, version 1.7.0: `make conform ELMO_SCHEMAS=FOLDER`.

The schema is its authors' (EUPL) and not part of this project; a folder with its files, each as published at the commit
named here, is given by hand. So this is no part of `make test`.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import xmlschema

from services.creditbank.papers.elmo import Passed, written
from tests.unit.creditbank.test_elmo import AT, NOW, PASSES

RAW = "https://raw.githubusercontent.com"
ELMO, EWP = f"{RAW}/emrex-eu/elmo-schemas", f"{RAW}/erasmus-without-paper"
V1_7_0 = "db1a231c7f71c36e392d88107bb14fb46bea1894"
# By file: where the schema says it is, the commit it is taken at, and its SHA-256.
FILES = {
    "schema.xsd": (
        f"{ELMO}/v1/schema.xsd",
        V1_7_0,
        "7c08b4d591949a28396049ffb995f6d24d7c75aa17e95983fd7b4d7c36ea0151",
    ),
    "xmldsig-core-schema.xsd": (
        f"{ELMO}/v1/references/xmldsig-core-schema.xsd",
        V1_7_0,
        "f4f9ee2abf675955812cce2c6be1ce7f9a06b1ccf237b86f34ad15e2f5bb990a",
    ),
    "countries.xsd": (
        f"{ELMO}/v1/references/EUROPASS_ISOCountries_V1.1.xsd",
        V1_7_0,
        "b040b549375855413415649a74d5496d6b749b9a88d33d8d91fc82e42ebc3cef",
    ),
    "address.xsd": (
        f"{EWP}/ewp-specs-types-address/stable-v1/schema.xsd",
        "fc97bfec100593bde8df9cd89476c5e923c00bbd",
        "1e850c965d087e50c0eb3dd2a74dc6995bf2ac2e307be7d410123120447c8ab4",
    ),
    "common-types.xsd": (
        f"{EWP}/ewp-specs-architecture/stable-v1/common-types.xsd",
        "05214734e5e6acc92365999702fe7e19177d6a71",
        "4ae992f96c2e2a21c274dc61dd305fa2a0fd62a48e879c8782f7a97f4e4cd8be",
    ),
}
BRANCHES = ("/stable-v1/", "/v1/")


@pytest.fixture(scope="session")
def schema() -> xmlschema.XMLSchema:
    """The schema as its authors publish it."""
    folder = Path(os.environ["ELMO_SCHEMAS"]).resolve()
    for name, (_, _, sha256) in FILES.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256, f"{name} is another version"
    places = {url: (folder / name).as_uri() for name, (url, _, _) in FILES.items()}
    return xmlschema.XMLSchema(
        str(folder / "schema.xsd"), uri_mapper=lambda uri: places.get(uri, uri), allow="local", defuse="never"
    )


@pytest.mark.parametrize("told", [PASSES, PASSES * 2, []])
def test_the_public_schema_accepts_the_file(schema: xmlschema.XMLSchema, told: list[Passed]) -> None:
    schema.validate(written("0197f3c2", "黄玉梅 <&>", told, AT, NOW).decode())


@pytest.mark.parametrize(("part", "other"), [("<status>passed", "<status>done"), ("<country>CN", "<country>XX")])
def test_the_public_schema_refuses_another(schema: xmlschema.XMLSchema, part: str, other: str) -> None:
    content = written("0197f3c2", "黄玉梅", PASSES, AT, NOW).decode()
    assert part in content
    assert not schema.is_valid(content.replace(part, other))
