"""Files that were carried in by hand, for a machine that reaches no hub: found by what they are, not where they lie."""

import hashlib
import os
from collections import defaultdict
from pathlib import Path

from pipelines.weights.fetch_plan import FetchItem
from pipelines.weights.files import CHUNK, Advance, hash_file
from pipelines.weights.hub import FetchError
from pipelines.weights.lockfile import LockedFile, converted_name


class LocalFiles:
    """The files below a folder, by size. The layout does not matter: a cache of huggingface_hub (links included), a
    copy of a repository or of a weights directory, or everything in one heap; the sha256 decides.
    """

    def __init__(self, folder: Path, *, link: bool) -> None:
        self._link = link
        self._by_size: dict[int, list[Path]] = defaultdict(list)
        for parent, _, names in os.walk(folder):
            for name in names:
                file = Path(parent) / name
                if file.is_file():
                    self._by_size[file.stat().st_size].append(file)

    def resolve_item(self, item: FetchItem) -> FetchItem:
        """The item itself, or the safetensors of a pickle where those were carried in rather than the pickle."""
        made = item.facts.converted
        if made is None or made.size not in self._by_size:
            return item
        path = converted_name(item.path)
        incoming = item.incoming.with_name(item.final.name)
        return FetchItem(item.bundle, path, LockedFile(size=made.size, sha256=made.sha256), item.final, incoming)

    def offer(self, item: FetchItem, advance: Advance) -> str:
        """Put the file at `item.incoming`, copied or as a hard link. Raises `FetchError` when it is not there."""
        candidates = self._by_size.get(item.facts.size or 0, [])
        for file in sorted(candidates, key=lambda file: not file.as_posix().endswith("/" + item.path)):
            item.incoming.parent.mkdir(parents=True, exist_ok=True)
            item.incoming.unlink(missing_ok=True)
            sha256 = self._take(file, item.incoming, advance)
            if sha256 == item.facts.sha256:
                return sha256
            advance(-item.incoming.stat().st_size)
            item.incoming.unlink()
        raise FetchError("only files with another sha256 are there" if candidates else "it is not there")

    def _take(self, file: Path, incoming: Path, advance: Advance) -> str:
        """The sha256 is of the bytes that were written, not of those that were there a moment ago."""
        if self._link:
            os.link(file.resolve(), incoming)
            return hash_file(incoming, advance)
        digest = hashlib.sha256()
        with file.open("rb") as source, incoming.open("wb") as target:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                target.write(chunk)
                advance(len(chunk))
        return digest.hexdigest()
