"""Swift's configuration: one replica, one device, four processes on loopback, S3 in front.

The facts are of Swift's deployment guide and its `s3api` and `tempauth` sample configurations.
"""

import getpass
import subprocess
from pathlib import Path

SERVICES = ("account", "container", "object", "proxy")
ACCESS_KEY, SECRET_KEY, REGION = "test:tester", "testing", "us-east-1"
OWNER = ".admin"
"""Group of those who may do all; who is in no group may do nothing."""

PIPELINE = (
    "catch_errors gatekeeper proxy-logging cache listing_formats bulk s3api tempauth copy container-quotas "
    "account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server"
)
FILTERS = {
    "catch_errors": "use = egg:swift#catch_errors",
    "gatekeeper": "use = egg:swift#gatekeeper",
    "proxy-logging": "use = egg:swift#proxy_logging",
    "cache": "use = egg:swift#memcache\nmemcache_servers = 127.0.0.1:1",
    "listing_formats": "use = egg:swift#listing_formats",
    "bulk": "use = egg:swift#bulk",
    "s3api": f"use = egg:swift#s3api\ns3_acl = no\nlocation = {REGION}\ncheck_bucket_owner = false",
    "tempauth": f"use = egg:swift#tempauth\nuser_test_tester = {SECRET_KEY} {OWNER}",
    "copy": "use = egg:swift#copy",
    "container-quotas": "use = egg:swift#container_quotas",
    "account-quotas": "use = egg:swift#account_quotas",
    "slo": "use = egg:swift#slo",
    "dlo": "use = egg:swift#dlo",
    "versioned_writes": "use = egg:swift#versioned_writes",
    "symlink": "use = egg:swift#symlink",
}
RINGS = """
import sys
from swift.common.ring import RingBuilder
folder, *services = sys.argv[1:]
for service in services:
    name, port = service.split("=")
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    place = {"ip": "127.0.0.1", "port": int(port), "replication_ip": "127.0.0.1", "replication_port": int(port)}
    builder.add_dev({"region": 1, "zone": 1, "device": "disk", "weight": 1, "meta": "", **place})
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{name}.ring.gz")
"""
QUOTA = """
import sys
from swift.common.direct_client import direct_post_container
from swift.common.ring import Ring
from swift.common.utils import set_swift_dir
folder, bucket, size = sys.argv[1:]
set_swift_dir(folder)
part, (node,) = Ring(folder, ring_name="container").get_nodes("AUTH_test", bucket)
direct_post_container(node, part, "AUTH_test", bucket, headers={"X-Container-Meta-Quota-Bytes": size})
"""


def write(folder: Path, ports: dict[str, int], python: Path) -> None:
    """Everything the four servers read, under `folder`; `python` is that of Swift's own environment."""
    (folder / "devices" / "disk").mkdir(parents=True)
    hashes = "swift_hash_path_prefix = atelier\nswift_hash_path_suffix = tests"
    (folder / "swift.conf").write_text(f"[swift-hash]\n{hashes}\n[storage-policy:0]\nname = only\ndefault = yes\n")
    stores = [name for name in SERVICES if name != "proxy"]
    rings = [f"{name}={ports[name]}" for name in stores]
    subprocess.run([str(python), "-c", RINGS, str(folder), *rings], check=True)
    for name in stores:
        disk = f"devices = {folder}/devices\nmount_check = false\ndisable_fallocate = true"
        app = f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\nuse = egg:swift#{name}"
        (folder / f"{name}.conf").write_text(f"{_default(folder, ports[name])}\n{disk}\n{app}\n")
    (folder / "proxy.conf").write_text(_proxy(folder, ports["proxy"]))


def _default(folder: Path, port: int) -> str:
    who = f"user = {getpass.getuser()}\nswift_dir = {folder}\nlog_level = WARNING"
    return f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\n{who}"


def _proxy(folder: Path, port: int) -> str:
    filters = "\n".join(f"[filter:{name}]\n{text}" for name, text in FILTERS.items())
    app = "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true"
    return f"{_default(folder, port)}\n[pipeline:main]\npipeline = {PIPELINE}\n{filters}\n{app}\n"
