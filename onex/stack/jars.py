"""Kafka's jars: fetched once by jgo, each one exactly as deploy/kafka/jgo.lock.toml says."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import LockFile
from jgo.env._lockfile import LockedDependency, compute_sha256
from jgo.maven import Artifact, MavenContext

from onex.stack.home import COMPLETE, LOCK
from onex.stack.trouble import Trouble

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 30
FETCHERS = 4


def fetch(engines: Path, folder: Path, repository: str, tell: Callable[[str], None]) -> None:
    """Fetch, verify and put side by side what the lock names; `Trouble` when it cannot be had."""
    trust_this_machine()
    lock = LockFile.load(LOCK)
    tell(f"Fetching Apache Kafka ({len(lock.dependencies)} jars, 43 MB, once)")
    repo = MavenContext(
        repo_cache=engines / "maven",
        local_repos=[],
        remote_repos={"central": repository or MAVEN_CENTRAL_URL},
        timeout=TIMEOUT_SECONDS,
    )
    with ThreadPoolExecutor(FETCHERS) as pool:
        files = list(pool.map(lambda jar: _fetch(repo, jar), lock.dependencies))
    _link(files, folder)


def trust_this_machine() -> None:
    """Trust the authorities this machine trusts: a campus proxy's is among them, and not in certifi's list."""
    known = ssl.get_default_verify_paths()
    bundles = [known.cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
    if bundle := next((one for one in bundles if one and Path(one).is_file()), None):
        os.environ.setdefault("REQUESTS_CA_BUNDLE", bundle)


def _fetch(repo: MavenContext, jar: LockedDependency) -> Path:
    """One jar, tried again after a lost connection or a wrong sum."""
    component = repo.project(jar.groupId, jar.artifactId).at_version(jar.version)
    artifact = component.artifact(classifier=jar.classifier or "")
    for attempt in range(ATTEMPTS):
        problem = _try(artifact, jar.sha256 or "")
        if not problem:
            return artifact.resolve()
        if attempt + 1 < ATTEMPTS:
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
    raise Trouble(
        f"Kafka cannot be fetched: {artifact.filename} from {', '.join(repo.remote_repos.values())} ({problem}). "
        "The first start needs the network; or set MAVEN=<address of a mirror>, "
        "or KAFKA=<host:port> of a broker of your own."
    )


def _try(artifact: Artifact, sha256: str) -> str:
    """Fetch a jar once; what is wrong with it, or nothing. What is wrong does not stay."""
    try:
        if compute_sha256(artifact.resolve()) == sha256:
            return ""
        problem = "its sha256 is not the locked one"
    except (requests.RequestException, RuntimeError) as error:
        problem = _why(error)
    except OSError as error:
        raise Trouble(f"Kafka cannot be stored in {artifact.cached_path}: {error.strerror}.") from error
    if artifact.cached_path:
        artifact.cached_path.unlink(missing_ok=True)
    return problem


def _why(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "this machine does not trust its certificate; REQUESTS_CA_BUNDLE can name a list of authorities"
    return "no network" if isinstance(error, requests.ConnectionError) else str(error)[:200]


def _link(files: list[Path], folder: Path) -> None:
    """Put the jars side by side; the folder counts only once it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = folder / file.name
        target.unlink(missing_ok=True)
        target.hardlink_to(file)
    (folder / COMPLETE).touch()
