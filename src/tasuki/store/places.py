"""Where artifacts can lie: a folder of this machine, or an object store that fsspec knows (S3, GCS, memory …).

Both promise the same three things: a folder of files appears whole or not at all, a file is replaced as a whole, and a
change to a file that someone else changed meanwhile is made again upon theirs. How an object store keeps the last one
is said at `ObjectPlace.change`.
"""

import errno
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tasuki.errors import Stale, Unavailable, said
from tasuki.store.files import held, replace_file, sync_folder, write_synced

ATTEMPTS = 40
Change = Callable[[bytes | None], bytes]


class Place(Protocol):
    """Files in folders below one location. Names are plain; the caller has checked them."""

    location: str

    def exists(self) -> bool:
        """Whether anything is there at all."""
        ...

    def label(self, *names: str) -> str:
        """The path of a file or folder, for people."""
        ...

    def read(self, *names: str) -> bytes | None:
        """A file's content; None when it is not there or is no ordinary file."""
        ...

    def mark(self, *names: str) -> str:
        """What changes whenever a file does, asked for without reading it; empty where that is not known."""
        ...

    def entries(self, *names: str) -> list[str]:
        """The names in a folder, sorted; none when it is not there."""
        ...

    def newest_last(self, last: str, *names: str) -> list[str]:
        """The folders in a folder that hold the file `last`, the one written latest at the end."""
        ...

    def put(self, files: Mapping[str, bytes], last: str, *names: str) -> None:
        """Makes a folder of files, complete from the moment `last` can be read."""
        ...

    def change(self, change: Change, *names: str) -> None:
        """Replaces a file by what `change` makes of its content, losing nobody's change."""
        ...


def place_of(location: str | Path) -> Place:
    """The place that a location names: a folder, or `s3://bucket/prefix` and the like."""
    return ObjectPlace(str(location)) if is_url(str(location)) else LocalPlace(Path(location))


def is_url(location: str) -> bool:
    """Whether a location is an object store's and not a folder's."""
    return "://" in location


def resolve_location(folder: Path, location: str) -> str | Path:
    """A location as it is written in a workspace: a URL, or a path relative to the workspace's folder."""
    return location if is_url(location) else folder / location


class LocalPlace:
    """A folder. Files are on the disk before they are seen; a folder is renamed into place."""

    def __init__(self, folder: Path) -> None:
        self.location = str(folder)
        self._folder = folder

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self._folder.is_dir()

    def label(self, *names: str) -> str:
        """The path."""
        return str(self._folder.joinpath(*names))

    def read(self, *names: str) -> bytes | None:
        """The content of an ordinary file; None for one that is not there, is a link or is no file."""
        path = self._folder.joinpath(*names)
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None

    def mark(self, *names: str) -> str:  # noqa: ARG002  reading the file costs no more than looking at it
        """Nothing: a small file of a folder is read as quickly."""
        return ""

    def entries(self, *names: str) -> list[str]:
        """The names in a folder."""
        folder = self._folder.joinpath(*names)
        return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []

    def newest_last(self, last: str, *names: str) -> list[str]:  # noqa: ARG002  a folder is renamed into place whole
        """The folders by the time of their making; one without `last` is damaged, which loading says."""
        folder = self._folder.joinpath(*names)
        found = [one for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []
        return [
            one.name
            for one in sorted(found, key=lambda one: (one.stat().st_mtime_ns, one.name))
            if not one.name.startswith(".")
        ]

    def put(self, files: Mapping[str, bytes], last: str, *names: str) -> None:  # noqa: ARG002  as above
        """Writes the files aside, waits for the disk, and renames the folder into place."""
        final = self._folder.joinpath(*names)
        final.parent.mkdir(parents=True, exist_ok=True)
        draft = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
        draft.mkdir()
        try:
            for name, content in files.items():
                write_synced(draft / name, content)
            sync_folder(draft)
            try:
                draft.rename(final)
            except OSError:
                # Someone put the same content a moment earlier; theirs is as good as ours.
                if not final.is_dir():
                    raise
            sync_folder(final.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def change(self, change: Change, *names: str) -> None:
        """Replaces the file while a lock keeps others of this machine waiting."""
        path = self._folder.joinpath(*names)
        with held(path.with_name(f".{path.stem}.lock")):
            replace_file(path, change(self.read(*names)))


class ObjectPlace:
    """A prefix of an object store. Single objects are written whole; the last file of a folder makes it visible."""

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        self._system, self._root = _system_of(self.location)

    def exists(self) -> bool:
        """Whether any object has the prefix."""
        return bool(self.entries())

    def label(self, *names: str) -> str:
        """The URL."""
        return "/".join([self.location, *names])

    def read(self, *names: str) -> bytes | None:
        """An object's content; None when it is not there."""
        with self._asked():
            try:
                content: bytes = self._system.cat_file(self._path(*names))
            except (FileNotFoundError, IsADirectoryError):
                return None
        return content

    def mark(self, *names: str) -> str:
        """The object's ETag, by a request for its head alone; empty when it is not there or has none."""
        with self._asked():
            try:
                info = self._system.info(self._path(*names), refresh=True)
            except TypeError:
                info = self._system.info(self._path(*names))
            except FileNotFoundError:
                return ""
        return str(info.get("ETag") or info.get("etag") or info.get("generation") or "")

    def entries(self, *names: str) -> list[str]:
        """The next part of every name below a prefix."""
        with self._asked():
            try:
                found = self._system.ls(self._path(*names), detail=False, refresh=True)
            except TypeError:
                found = self._system.ls(self._path(*names), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted({str(one).rstrip("/").rpartition("/")[2] for one in found})

    def newest_last(self, last: str, *names: str) -> list[str]:
        """The folders whose last file is there: an upload that was broken off does not count."""
        stamps = []
        for name in self.entries(*names):
            with self._asked():
                try:
                    info = self._system.info(self._path(*names, name, last))
                except FileNotFoundError:
                    continue
            stamps.append((str(info.get("LastModified") or info.get("created") or ""), name))
        return [name for _, name in sorted(stamps)]

    def put(self, files: Mapping[str, bytes], last: str, *names: str) -> None:
        """Uploads `last` after every other file."""
        with self._asked():
            for name in sorted(files, key=lambda name: (name == last, name)):
                self._system.pipe_file(self._path(*names, name), files[name])

    def change(self, change: Change, *names: str) -> None:
        """Replaces the object, on S3 only if it is still the one that was read; else reads again and repeats.

        S3 compares the ETag in the very put (`If-Match`, or `If-None-Match: *` for the first), so that of two writers
        one repeats. Other stores have no such put in fsspec: there, of two who write in the same moment, the later one
        wins and the earlier one's entry in the history is lost; what is read is still always one of the two, whole.

        Raises:
            Stale: When others were faster `ATTEMPTS` times.
        """
        path = self._path(*names)
        if not hasattr(self._system, "call_s3"):
            content = change(self.read(*names))
            with self._asked():
                self._system.pipe_file(path, content)
            return
        for _ in range(ATTEMPTS):
            condition = self._condition(path)
            content = change(self.read(*names))
            bucket, _, key = path.partition("/")
            with self._asked():
                try:
                    self._system.call_s3("put_object", Bucket=bucket, Key=key, Body=content, **condition)
                except Exception as error:
                    if not _was_changed(error):
                        raise
                    continue
                return
        raise Stale(
            said("{place} was changed by others again and again", place=self.label(*names)),
            expected="a moment in which nobody else publishes",
            next_step="read it again and repeat",
        )

    def _condition(self, path: str) -> dict[str, str]:
        with self._asked():
            try:
                return {"IfMatch": str(self._system.info(path, refresh=True)["ETag"])}
            except FileNotFoundError:
                return {"IfNoneMatch": "*"}

    def _path(self, *names: str) -> str:
        return "/".join([self._root, *names])

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise Unavailable(
                said("{location} is not there: {error}", location=self.location, error=error),
                next_step="check bucket and prefix",
            ) from error
        except Exception as error:  # each object store has errors of its own; none is the reader's to fix in the input
            raise Unavailable(
                said(
                    "{location} does not answer: {kind}: {error}",
                    location=self.location,
                    kind=type(error).__name__,
                    error=error,
                ),
                expected="an object store that this process may read (and write, to publish)",
                next_step="check the address, the network and the credentials in the environment; then try again",
            ) from error


def _system_of(location: str) -> tuple[Any, str]:
    import fsspec

    protocol = location.partition("://")[0]
    try:
        system, root = fsspec.core.url_to_fs(location, use_listings_cache=False)
    except ImportError as error:
        next_step = "pip install 'tasuki[s3]'" if protocol == "s3" else f"install what fsspec needs for {protocol}://"
        raise Unavailable(
            said("{location} cannot be reached: {error}", location=location, error=error), next_step=next_step
        ) from error
    except ValueError as error:
        raise Unavailable(
            said("{location} cannot be reached: {error}", location=location, error=error),
            next_step="correct the location",
        ) from error
    return system, str(root).rstrip("/")


def _was_changed(error: BaseException) -> bool:
    said = f"{error} {error.__cause__}"
    conflict = isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.EBUSY)
    return any(word in said for word in ("PreconditionFailed", "ConditionalRequestConflict")) or (
        conflict and "precondition" in said.lower()
    )
