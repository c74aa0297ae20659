"""What the store knows of who answers behind a server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.records import KnownServer
from pytest_raq.store import hash_parts

if TYPE_CHECKING:
    from pytest_raq.config import ModelDefinition
    from pytest_raq.store import Store

_EPOCH_DIGITS = 16


class ServerMemory:
    """Who gave the stored answers of one server: in the store, and here if there is none.

    It is known by the address and the name alone, so that it outlives a change of the model.
    """

    def __init__(self, model: ModelDefinition, store: Store | None, role: str = "server") -> None:
        self._store = store
        server = model.openai if model.engine == "openai" else None
        self._key = hash_parts(**{role: [server.base_url, server.model]}) if server else ""
        self._known: KnownServer | None = None

    @property
    def is_kept(self) -> bool:
        """Whether a later run will know it."""
        return self._store is not None

    @property
    def known(self) -> KnownServer:
        """What is known; nothing of a model that is no server's."""
        if self._known is None:
            found = self._store.servers.get(self._key) if self._store and self._key else None
            self._known = found or KnownServer()
        return self._known

    def keep(self, known: KnownServer) -> None:
        """Keep what is known from now on."""
        if known != self.known:
            self._known = known
            if self._store is not None:
                self._store.servers.put(self._key, known)

    def reload(self) -> bool:
        """Read again what others may have kept; return whether the epoch is another one now.

        A store that cannot be written knows less than this: it is not read again.
        """
        before = self.known.epoch
        if self._store is not None and self._store.is_writable:
            self._known = None
        return self.known.epoch != before

    def follow(self, epoch: str) -> None:
        """Take over the epoch that another process of this run found out."""
        self.reload()
        if self.known.epoch != epoch:
            self._known = replace(self.known, epoch=epoch)


def next_epoch(known: KnownServer, evidence: object) -> str:
    """Return the epoch after a change: the same in each process that has the same evidence."""
    return hash_parts(before=known.epoch, evidence=evidence)[:_EPOCH_DIGITS]
