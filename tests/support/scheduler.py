"""How pytest-xdist gives the tests to the processes that share them."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

from tests.support.sharing import together_of


class ByFile(LoadScopeScheduling):
    """What stays together is one process's, in its order."""

    def _split_scope(self, nodeid: str) -> str:
        return together_of(nodeid.partition("::")[0])
