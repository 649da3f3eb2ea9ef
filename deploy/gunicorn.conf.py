"""How each application is served: one process with a few threads, which an idle college machine can afford."""

import os
import shutil
from pathlib import Path
from typing import Any

bind = f"{os.environ.get('BIND', '127.0.0.1')}:{os.environ['SERVICE_PORT']}"
workers = int(os.environ.get("WEB_WORKERS", "1"))
worker_class = "chassis.web.server.Worker"  # threads, and errors that are problem documents
threads = int(os.environ.get("WEB_THREADS", "8"))
backlog = 256
keepalive = 15  # seconds a client's connection is kept for its next request

timeout = 60  # a worker that is silent for so long is replaced
graceful_timeout = 8  # running requests may end within it; the supervisor kills after 15
max_requests = 200_000  # a bound on whatever a library may leak
max_requests_jitter = 20_000

limit_request_line = 8190
limit_request_fields = 100

# Logs go to standard error; the application writes its own lines, so the server writes no access log
# (its lines would hold addresses with query strings).
accesslog = None
errorlog = "-"
loglevel = "warning"

worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- the heartbeat file must not wait for a disk
control_socket_disable = True  # gunicorn would open one in the home folder
proc_name = "onex"


def on_starting(_server: Any) -> None:
    """Forget the figures of processes that are gone: prometheus-client keeps a file for each."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).mkdir(parents=True)


def child_exit(_server: Any, worker: Any) -> None:
    """Drop a dead worker's gauges."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess  # noqa: PLC0415 -- after the folder is known

        multiprocess.mark_process_dead(worker.pid)
