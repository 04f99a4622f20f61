"""PostgreSQL, a server of our own with records as jsonb: postgres_peer.py PARENT_FOLDER

The server listens on a free port of 127.0.0.1, keeps its data in a new folder, and ends with this
program, however that ends. It does not run as root, so then it runs as the user postgres.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import psycopg

from peer import instant, serve

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "2GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "512MB",
    "effective_cache_size": "8GB",
    "max_wal_size": "8GB",
    "max_parallel_workers_per_gather": "2",
    "random_page_cost": "1.1",
    "jit": "off",
}

LOAD = """
INSERT INTO record (ts, doc) SELECT ts, jsonb_strip_nulls(jsonb_build_object(
    '_timestamp', ts, 'service', service, 'channel', channel, 'device', device, 'stage', stage,
    'page_path', page_path, 'volume', volume, 'duration', duration)) FROM sent
"""

QUERIES = {
    "a": """SELECT date_trunc('month', ts) AS month, count(*) FROM record
            WHERE ts >= %(start)s AND ts < %(end)s GROUP BY month ORDER BY month""",
    "b": """SELECT doc->>'channel' AS channel, count(*), sum((doc->>'volume')::bigint)::bigint FROM record
            GROUP BY channel ORDER BY channel""",
    "c": """SELECT doc->>'service' AS service, date_trunc('week', ts) AS week, count(*),
            sum((doc->>'volume')::bigint)::bigint, avg((doc->>'duration')::float8) FROM record
            WHERE doc->>'channel' = 'web' AND ts >= %(start)s AND ts < %(end)s
            GROUP BY service, week ORDER BY service, week""",
    "d": """SELECT doc->>'page_path' AS page_path, count(*) AS records, array_agg(DISTINCT doc->>'service')
            FROM record GROUP BY page_path ORDER BY records DESC, page_path LIMIT 10""",
    "e": """SELECT ts, doc->>'page_path', (doc->>'volume')::bigint, (doc->>'duration')::float8 FROM record
            WHERE doc->>'channel' = 'web' ORDER BY ts DESC LIMIT 100""",
    "f": """SELECT doc->>'device' AS device, date_trunc('day', ts) AS day, count(*) FROM record
            WHERE ts >= %(start)s AND ts < %(end)s GROUP BY device, day ORDER BY device, day""",
}


def program(name):
    """Debian keeps the programs of the server where no PATH leads."""
    found = shutil.which(name)
    for version in range(30, 9, -1):
        path = f"/usr/lib/postgresql/{version}/bin/{name}"
        found = found or (path if os.path.exists(path) else None)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Postgres:
    def __init__(self, parent):
        is_root = os.geteuid() == 0
        ids = ["--reuid=postgres", "--regid=postgres", "--init-groups"] if is_root else []
        self.folder = tempfile.mkdtemp(prefix="postgres-", dir=parent)
        if is_root:
            shutil.chown(self.folder, "postgres", "postgres")
        data = os.path.join(self.folder, "data")
        # The kernel tells the server to end when this program is gone.
        run = ["setpriv", *ids, "--pdeathsig", "INT"]
        initdb = [program("initdb"), "-D", data, "-U", "bench", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        subprocess.run([*run, *initdb], check=True, cwd=self.folder, stdout=subprocess.DEVNULL)
        self.port = free_port()
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            command = [*run, program("postgres"), "-D", data, *settings]
            self.server = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        self.connection = self.connect()

    def connect(self):
        for _ in range(300):
            try:
                address = {"host": "127.0.0.1", "port": self.port, "user": "bench", "dbname": "postgres"}
                return psycopg.connect(**address, autocommit=True, options="-c timezone=UTC")
            except psycopg.OperationalError:
                if self.server.poll() is not None:
                    break
                time.sleep(0.1)
        self.close()
        raise RuntimeError("the PostgreSQL server did not start")

    def about(self):
        version = self.connection.execute("SHOW server_version").fetchone()[0]
        return f"PostgreSQL {version.split()[0]}"

    def load(self, csv, records):
        run = self.connection.execute
        run("DROP TABLE IF EXISTS record")
        run("DROP TABLE IF EXISTS sent")
        run("CREATE TABLE record (id bigserial PRIMARY KEY, ts timestamptz NOT NULL, doc jsonb NOT NULL)")
        run(
            """CREATE TEMPORARY TABLE sent (ts timestamptz, service text, channel text, device text, stage text,
               page_path text, volume bigint, duration float8)"""
        )
        with self.connection.cursor() as cursor, open(csv, "rb") as file:
            with cursor.copy("COPY sent FROM STDIN (FORMAT csv, HEADER)") as copy:
                while chunk := file.read(1 << 20):
                    copy.write(chunk)
        run(LOAD)
        run("DROP TABLE sent")
        run("CREATE INDEX ON record (ts)")
        run("VACUUM ANALYZE record")
        (found,) = run("SELECT count(*) FROM record").fetchone()
        if found != records:
            raise RuntimeError(f"{found} records were loaded, not {records}")
        return True

    def query(self, name, start, end):
        sql = QUERIES[name]
        span = {"start": instant(start), "end": instant(end)} if "%(start)s" in sql else None
        return self.connection.execute(sql, span).fetchall()

    def close(self):
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGINT)
            self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    serve(Postgres(sys.argv[1]))
