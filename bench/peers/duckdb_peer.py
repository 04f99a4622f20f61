"""DuckDB in this process, on a native table in a file: duckdb_peer.py FILE THREADS

The file is made by `load` and kept; queries open it for reading only, so that several of these
programs can have it at the same time.
"""

import os
import sys

import duckdb

from peer import instant, serve

COLUMNS = {
    "timestamp": "TIMESTAMP",
    "service": "VARCHAR",
    "channel": "VARCHAR",
    "device": "VARCHAR",
    "stage": "VARCHAR",
    "page_path": "VARCHAR",
    "volume": "BIGINT",
    "duration": "DOUBLE",
}

QUERIES = {
    "a": """SELECT date_trunc('month', timestamp) AS month, count(*) FROM record
            WHERE timestamp >= $start AND timestamp < $end GROUP BY month ORDER BY month""",
    "b": "SELECT channel, count(*), sum(volume) FROM record GROUP BY channel ORDER BY channel",
    "c": """SELECT service, date_trunc('week', timestamp) AS week, count(*), sum(volume), avg(duration)
            FROM record WHERE channel = 'web' AND timestamp >= $start AND timestamp < $end
            GROUP BY service, week ORDER BY service, week""",
    "d": """SELECT page_path, count(*) AS records, list(DISTINCT service) FROM record
            GROUP BY page_path ORDER BY records DESC, page_path LIMIT 10""",
    "e": """SELECT timestamp, page_path, volume, duration, service, channel, device, stage FROM record
            WHERE channel = 'web' ORDER BY timestamp DESC LIMIT 100""",
    "f": """SELECT device, date_trunc('day', timestamp) AS day, count(*) FROM record
            WHERE timestamp >= $start AND timestamp < $end GROUP BY device, day ORDER BY device, day""",
}


class DuckDb:
    def __init__(self, file, threads):
        self.file = file
        self.threads = threads
        self.connection = None

    def about(self):
        return f"DuckDB {duckdb.__version__}"

    def load(self, csv, records):
        if os.path.exists(self.file):
            with duckdb.connect(self.file, read_only=True) as database:
                if database.execute("SELECT count(*) FROM record").fetchone() == (records,):
                    return False
            os.remove(self.file)
        partial = self.file + ".partial"
        if os.path.exists(partial):
            os.remove(partial)
        with duckdb.connect(partial) as database:
            columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
            database.execute(f"CREATE TABLE record ({columns})")
            database.execute(
                f"INSERT INTO record SELECT * FROM read_csv($csv, header = true, columns = {COLUMNS})",
                {"csv": csv},
            )
        os.rename(partial, self.file)
        return True

    def query(self, name, start, end):
        if self.connection is None:
            self.connection = duckdb.connect(self.file, read_only=True)
            self.connection.execute(f"SET threads = {self.threads}")
        sql = QUERIES[name]
        span = {"start": instant(start).replace(tzinfo=None), "end": instant(end).replace(tzinfo=None)}
        rows = self.connection.execute(sql, span if "$start" in sql else None).fetchall()
        return [row[:4] for row in rows] if name == "e" else rows

    def close(self):
        if self.connection is not None:
            self.connection.close()


if __name__ == "__main__":
    serve(DuckDb(sys.argv[1], int(sys.argv[2])))
