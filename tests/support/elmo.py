"""ELMO's public schema, version 1.7.0, fetched by commit and hash and kept; it is under the EUPL and not committed.

ELMO_SCHEMAS names a folder that has the files already.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import httpx
import pytest
import xmlschema

RAW = "https://raw.githubusercontent.com"
ELMO, EWP = f"{RAW}/emrex-eu/elmo-schemas", f"{RAW}/erasmus-without-paper"
V1_7_0 = "db1a231c7f71c36e392d88107bb14fb46bea1894"
FOLDER = Path(__file__).parents[2] / ".onex" / "schemas" / "elmo"
# By file: where the schema says it is, the commit it is fetched at, and its SHA-256.
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


def elmo_schema() -> xmlschema.XMLSchema:
    """The schema as its authors publish it; skips with a loud line where it can't be had."""
    folder = Path(os.environ.get("ELMO_SCHEMAS", FOLDER))
    places = {url: (folder / name).as_uri() for name, (url, _, _) in FILES.items()}
    for name, (url, commit, sha256) in FILES.items():
        _have(folder / name, _at(url, commit), sha256)
    return xmlschema.XMLSchema(
        str(folder / "schema.xsd"), uri_mapper=lambda uri: places.get(uri, uri), allow="local", defuse="never"
    )


def _at(url: str, commit: str) -> str:
    branch = next(one for one in BRANCHES if one in url)
    return url.replace(branch, f"/{commit}/", 1)


def _have(file: Path, url: str, sha256: str) -> None:
    if not file.exists():
        try:
            content = httpx.get(url, timeout=10, follow_redirects=True).raise_for_status().content
        except httpx.HTTPError as error:
            pytest.skip(f"ELMO'S SCHEMA WAS NOT ASKED: {type(error).__name__} at {url}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256, file
