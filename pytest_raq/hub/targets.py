"""``hf:ORG/REPO/FILE@REVISION``: a file of a hub in one word."""

from __future__ import annotations

from pytest_raq.config import SourceSettings
from pytest_raq.errors import ConfigError

SCHEME = "hf:"
FORM = "hf:ORG/REPO/FILE or hf:ORG/REPO/FILE@REVISION"


def parse_target(text: str) -> SourceSettings | None:
    """Return the file of a hub that a text names; None where it is no hub id.

    ConfigError when it begins like one and is none.
    """
    if not text.startswith(SCHEME):
        return None
    place, at, revision = text.removeprefix(SCHEME).removeprefix("//").partition("@")
    organisation, _, rest = place.partition("/")
    name, _, filename = rest.partition("/")
    parts = (organisation, name, *filename.split("/"))
    is_whole = all(parts) and bool(at) == bool(revision)
    if not is_whole or not {".", ".."}.isdisjoint((*parts, revision)):
        raise ConfigError(f"{text}: is no file of a hub: write {FORM}")
    settings = {"repo": f"{organisation}/{name}", "filename": filename}
    return SourceSettings(**settings, **({"revision": revision} if revision else {}))
