"""Finds, fetches and checks files of a hub, and puts them where a definition says."""

from pytest_raq.hub.places import hub_cache, project_folder
from pytest_raq.hub.pull import Job, Pulled, Puller
from pytest_raq.hub.remote import HubUnreachableError, RemoteFile, find_remote, parse_target

__all__ = [
    "HubUnreachableError",
    "Job",
    "Pulled",
    "Puller",
    "RemoteFile",
    "find_remote",
    "hub_cache",
    "parse_target",
    "project_folder",
]
