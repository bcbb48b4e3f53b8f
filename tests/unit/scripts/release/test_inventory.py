"""What an installation says of itself: licences, libraries within wheels, packages of the system."""

import json
import subprocess
import sys
from importlib.metadata import Distribution

import pytest

from scripts.release import inventory


def package(folder, fields, name="thing"):
    """A distribution of version 1.0 with these lines of metadata."""
    information = folder / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{fields}\n")
    return Distribution.at(information)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: other", "MIT OR Apache-2.0"),
        ("License: BSD-3-Clause", "BSD-3-Clause"),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT License"),
        ("License: MIT License\n        \n        Copyright", "MIT License"),
        ("License: Copyright X\n        all of it\nClassifier: License :: OSI Approved :: BSD License", "BSD License"),
        ("Classifier: Programming Language :: Python", ""),
    ],
)
def test_licence_comes_from_the_most_exact_field(tmp_path, fields, expected):
    assert expected == inventory.licence(package(tmp_path, fields))


def test_libraries_that_a_wheel_lists_are_carried_by_it(tmp_path):
    distribution = package(tmp_path, "License: MIT", "some-thing")
    folder = tmp_path / "some-thing-1.0.dist-info" / "sboms"
    folder.mkdir()
    components = [
        {"name": "some_thing", "version": "1.0", "purl": "pkg:pypi/some_thing@1.0"},
        {"name": "zlib", "version": "1.3", "purl": "pkg:generic/zlib@1.3", "licenses": [{"license": {"id": "Zlib"}}]},
        {"name": "serde", "purl": "pkg:cargo/serde@1", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
    ]
    (folder / "auditwheel.cdx.json").write_text(json.dumps({"components": components}))
    assert [
        {"name": "serde", "version": "", "purl": "pkg:cargo/serde@1", "licence": "MIT OR Apache-2.0"},
        {"name": "zlib", "version": "1.3", "purl": "pkg:generic/zlib@1.3", "licence": "Zlib"},
    ] == inventory.carried(distribution)


def test_copyright_files_of_debian_name_licences(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "DOCUMENTS", tmp_path)
    (tmp_path / "grep").mkdir()
    (tmp_path / "grep" / "copyright").write_text("Files: *\nLicense: GPL-3+\n text\n\nFiles: b\nLicense: MIT\n")
    assert "GPL-3+, MIT" == inventory.debian("grep")
    (tmp_path / "libc6").mkdir()
    (tmp_path / "libc6" / "copyright").write_text("Under the LGPL, see /usr/share/common-licenses/LGPL-2.1.\n")
    assert "LGPL-2.1" == inventory.debian("libc6")
    assert "" == inventory.debian("unknown")


@pytest.mark.long
def test_the_file_alone_prints_what_is_installed(tmp_path):
    source = inventory.__file__
    with open(source) as text:
        done = subprocess.run(
            [sys.executable, "-"], stdin=text, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
        )
    printed = json.loads(done.stdout)
    assert {"pytest", "litestar"} <= {one["name"] for one in printed["python"]}
    assert {"system", "python", "packages"} == printed.keys()
