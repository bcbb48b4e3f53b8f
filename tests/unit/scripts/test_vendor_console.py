"""What the console serves of others is what its lock pins."""

import hashlib
import re
import tomllib

from api.console.files import FOLDER
from scripts.vendor_console import LOCK, lines, rewrite

PACKAGES = tomllib.loads(LOCK.read_text())["package"]


def test_every_vendored_file_is_the_one_of_the_lock():
    pinned = {one["to"]: one["sha256"] for package in PACKAGES for one in package["files"]}
    found = {
        path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("vendor", "font")
        for path in (FOLDER / folder).iterdir()
        if path != LOCK
    }
    assert pinned == found


def test_the_lock_is_as_the_script_writes_it():
    assert LOCK.read_text() == lines(PACKAGES)
    assert all(package["integrity"].startswith("sha512-") and package["license"] for package in PACKAGES)


def test_each_package_comes_with_its_license():
    assert all(any(one["from"] == "LICENSE" for one in package["files"]) for package in PACKAGES)


def test_imports_become_relative_and_maps_are_left_out():
    served = rewrite("vendor/hooks.js", b'import{h}from"preact";f();\n//# sourceMappingURL=hooks.mjs.map')
    assert b'import{h}from"./preact.js";f();\n' == served
    for path in FOLDER.rglob("*.js"):
        bare = re.findall(r'^\s*import[^;"]*from ?"([^."][^"]*)"', path.read_text(), re.MULTILINE)
        assert [] == bare, path
