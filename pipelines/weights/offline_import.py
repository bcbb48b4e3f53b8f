"""Import of files for a machine without a hub: found by their content, not by their place."""

import hashlib
import os
from collections import defaultdict
from pathlib import Path

from pipelines.weights.fetch_plan import FetchItem
from pipelines.weights.files import CHUNK, Advance, hash_file
from pipelines.weights.hub import FetchError
from pipelines.weights.lockfile import LockedFile, converted_name


class LocalFiles:
    """The files below a folder, by size; the sha256 decides which is which.

    The layout does not matter: a cache of huggingface_hub (links included), a copy of a repository or of a weights
    directory, or all files in one folder.
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
        """Return the item, or the safetensors of a pickle where the folder has those."""
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
        """Copy or link the file; return the sha256 of the bytes that were written."""
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
