"""Where a workspace's ledger is: read by itself, so that a ledger too broken to open can still be restored."""

import tomllib
from pathlib import Path

from tasuki.errors import Invalid, Missing

FILE = "tasuki.toml"
DEFAULT_LEDGER = "sqlite:///ledger.db"
_SQLITE = "sqlite:///"


def ledger_url(folder: Path | None = None) -> str:
    """The address of the ledger of the workspace in `folder` (the current one by default).

    Raises:
        Missing: The folder is no workspace.
        Invalid: Its `tasuki.toml` cannot be read.
    """
    place = (folder or Path()).resolve()
    file = place / FILE
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing(
            f"{place} is no workspace (it has no {FILE})",
            next_step="name one with --workspace, or make one with `tasuki init DIR`",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}") from error
    return resolved(str(settings.get("ledger", DEFAULT_LEDGER)), place)


def resolved(url: str, folder: Path) -> str:
    """The address with a relative SQLite path taken from the workspace's folder."""
    if not url.startswith(_SQLITE) or url.startswith(f"{_SQLITE}/"):
        return url
    return _SQLITE + str(folder.resolve() / url.removeprefix(_SQLITE))
