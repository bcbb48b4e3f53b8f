"""A real S3 server for the tests: OpenStack Swift's S3 layer from pip, or whatever the environment names."""

import os
import re
import socket
import subprocess
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from minio import Minio
from minio.error import S3Error

from cli.embedded.server import await_ready, environment, open_log
from core.processes import Process, spawn, stop
from tests.support.faults.faults import kill
from tests.support.servers import s3_config, s3_install
from tests.support.wait import until

START_TIMEOUT = 60.0


class S3Server:
    """Where an S3 is and how to get in."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, region: str) -> None:
        self.endpoint = endpoint
        self.access_key = access_key
        self.secret_key = secret_key
        self.region = region

    def storage_url(self, bucket: str) -> str:
        """`ATELIER_STORAGE_URL` of a bucket of this server."""
        query = {
            "endpoint": self.endpoint,
            "region": self.region,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
        }
        return f"s3://{bucket}?{urlencode(query)}"

    def remove_bucket(self, bucket: str) -> None:
        """Remove a bucket with all that is in it, also what is written to it meanwhile."""
        client = Minio(
            urlsplit(self.endpoint).netloc,
            access_key=self.access_key,
            secret_key=self.secret_key,
            region=self.region,
            secure=urlsplit(self.endpoint).scheme == "https",
        )

        def remove() -> bool:
            try:
                for item in client.list_objects(bucket, recursive=True):
                    client.remove_object(bucket, str(item.object_name))
                client.remove_bucket(bucket)
            except S3Error as error:
                if error.code not in ("BucketNotEmpty", "NoSuchBucket"):
                    raise
                return error.code == "NoSuchBucket"  # the client repeats a request that a busy server answers late
            return True

        until(remove, what="the bucket to be empty")


class Swift(S3Server):
    """Four Swift processes over `folder`; what is stored stays through stop and start, on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = _free_ports()
        self._processes: dict[str, Process] = {}
        endpoint = f"http://127.0.0.1:{self._ports['proxy']}"
        super().__init__(endpoint, s3_config.ACCESS_KEY, s3_config.SECRET_KEY, s3_config.REGION)

    def start(self) -> None:
        """Start what does not run, and wait until all four take connections.

        The first start installs Swift, which takes 15 s.
        """
        bin_folder = s3_install.installed()
        if not (self._folder / "proxy.conf").exists():
            s3_config.write(self._folder, self._ports, bin_folder / "python")
        for name in s3_config.SERVICES:
            if name in self._processes:
                continue
            with open_log(self._folder / f"{name}.log") as log:
                argv = [str(bin_folder / f"swift-{name}-server"), str(self._folder / f"{name}.conf")]
                self._processes[name] = spawn(argv, env=environment(), name=argv[0], stdout=log, stderr=log)
        for name, process in self._processes.items():
            ready = partial(_listens, self._ports[name])
            await_ready(f"swift-{name}", process, ready, self._folder / f"{name}.log", START_TIMEOUT)

    def stop(self) -> None:
        """Stop all four; does nothing when they do not run."""
        while self._processes:
            stop(self._processes.popitem()[1], 5.0)

    def kill(self) -> None:
        """`kill -9` to the one that speaks S3: nothing answers any more."""
        kill(self._processes.pop("proxy"))

    def change_key(self, secret: str) -> None:
        """Let the account have another secret key from now on; S3 has no such request, its operator does it."""
        self._change_user(secret, s3_config.OWNER)

    def allow(self, *, access: bool) -> None:
        """Let the account do all, or nothing, with its right key; S3 has no such request, its operator does it."""
        self._change_user(self.secret_key, s3_config.OWNER if access else "")

    def limit(self, bucket: str, size: int | None) -> None:
        """Let a bucket hold so many bytes in all; None for no limit. S3 has no such request, its operator does it."""
        python = s3_install.installed() / "python"
        quota = "" if size is None else str(size)
        subprocess.run([python, "-c", s3_config.QUOTA, self._folder, bucket, quota], check=True)

    def _change_user(self, secret: str, group: str) -> None:
        configuration = self._folder / "proxy.conf"
        changed = re.sub(r"(user_test_tester =).*", rf"\g<1> {secret} {group}", configuration.read_text())
        configuration.write_text(changed)
        self.kill()
        self.start()


def external() -> S3Server | None:
    """The server that ATELIER_TEST_S3_ENDPOINT (and _ACCESS_KEY, _SECRET_KEY, _REGION) names, if any."""
    endpoint = os.environ.get("ATELIER_TEST_S3_ENDPOINT")
    if not endpoint:
        return None
    access, secret = os.environ["ATELIER_TEST_S3_ACCESS_KEY"], os.environ["ATELIER_TEST_S3_SECRET_KEY"]
    return S3Server(endpoint, access, secret, os.environ.get("ATELIER_TEST_S3_REGION", "us-east-1"))


def _free_ports() -> dict[str, int]:
    """One port each, held together while choosing so that no two are the same."""
    probes = {name: socket.socket() for name in s3_config.SERVICES}
    for probe in probes.values():
        probe.bind(("127.0.0.1", 0))
    ports = {name: int(probe.getsockname()[1]) for name, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return ports


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
