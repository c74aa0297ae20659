"""Files of a hub: found, fetched, checked, and put where a definition says."""

from pytest_raq.hub.pull import Job, Pulled, Puller
from pytest_raq.hub.remote import HubUnreachableError, RemoteFile, find_remote, parse_target

__all__ = [
    "HubUnreachableError",
    "Job",
    "Pulled",
    "Puller",
    "RemoteFile",
    "find_remote",
    "parse_target",
]
