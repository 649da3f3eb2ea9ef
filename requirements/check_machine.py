"""Say in one sentence what this machine lacks, before anything is installed; any Python 3 can run this."""

import os
import platform
import shutil
import ssl
import sys
from importlib.util import find_spec
from pathlib import Path

NEEDED_BYTES = 2_000_000_000


def lacks_python() -> str:
    """The one Python all requirements are locked for."""
    if sys.version_info[:2] != (3, 11):
        return (
            f"OneX needs Python 3.11, and {sys.executable} is {platform.python_version()}; "
            "name another one: make ... PYTHON=/path/to/python3.11"
        )
    if not find_spec("venv") or not find_spec("ensurepip"):
        return "This Python cannot make environments; install its venv module (on Debian: apt install python3.11-venv)."
    return ""


def lacks_platform() -> str:
    """The engines come in wheels for one platform; engines of one's own run anywhere."""
    if os.environ.get("KAFKA") and os.environ.get("MONGO"):
        return ""
    if sys.platform == "linux" and platform.machine() == "x86_64" and ssl.OPENSSL_VERSION_INFO >= (3,):
        return ""
    here = f"{platform.system()} on {platform.machine()} with {ssl.OPENSSL_VERSION}"
    return (
        f"The MongoDB and Kafka that come with OneX need Linux on x86-64 with OpenSSL 3, and this is {here}. "
        "Start a MongoDB replica set and a Kafka broker of your own and say "
        "make ... KAFKA=<host:port> MONGO='mongodb://<host:port>/?replicaSet=<name>'"
    )


def lacks_room() -> str:
    """What is installed takes more than a gigabyte."""
    free = shutil.disk_usage(".").free
    if free < NEEDED_BYTES and not Path(".venv/run.stamp").exists():
        return f"The disk has {free // 1_000_000} MB left here, and OneX needs 2 GB: make room."
    return ""


problem = lacks_python() or lacks_platform() or lacks_room()
if problem:
    sys.exit(f"onex: {problem}")
