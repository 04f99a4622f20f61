"""MongoDB: mongo_peer.py PARENT_FOLDER

The server is the one in BACKDROP_BENCH_MONGODB_URL, or else a `mongod` of our own, which listens on a
free port of 127.0.0.1, keeps its data in a new folder, and ends with this program, however that ends.
"""

import csv as csv_format
import datetime
import os
import shutil
import subprocess
import sys
import tempfile

import pymongo

from peer import UTC, instant, serve
from postgres_peer import free_port

DATABASE = "backdrop_bench"


def truncated(unit):
    return {"$dateTrunc": {"date": "$_timestamp", "unit": unit, "startOfWeek": "monday"}}


def pipeline(name, start, end):
    span = {"_timestamp": {"$gte": instant(start), "$lt": instant(end)}}
    count, volume = {"$sum": 1}, {"$sum": "$volume"}
    if name == "a":
        return [{"$match": span}, {"$group": {"_id": {"month": truncated("month")}, "count": count}}]
    if name == "b":
        return [{"$group": {"_id": {"channel": "$channel"}, "count": count, "volume": volume}}]
    if name == "c":
        key = {"service": "$service", "week": truncated("week")}
        group = {"_id": key, "count": count, "volume": volume, "duration": {"$avg": "$duration"}}
        return [{"$match": {"channel": "web", **span}}, {"$group": group}]
    if name == "d":
        group = {"_id": {"page": "$page_path"}, "count": count, "services": {"$addToSet": "$service"}}
        return [{"$group": group}, {"$sort": {"count": -1, "_id.page": 1}}, {"$limit": 10}]
    if name == "e":
        newest = [{"$match": {"channel": "web"}}, {"$sort": {"_timestamp": -1}}, {"$limit": 100}]
        return [*newest, {"$project": {"_id": 0, "_timestamp": 1, "page_path": 1, "volume": 1, "duration": 1}}]
    key = {"device": "$device", "day": truncated("day")}
    return [{"$match": span}, {"$group": {"_id": key, "count": count}}]


def flat(name, document):
    if name == "e":
        return [document[field] for field in ("_timestamp", "page_path", "volume", "duration")]
    return [*document.pop("_id").values(), *document.values()]


def document(line):
    line = {name: text for name, text in line.items() if text != ""}
    time = datetime.datetime.fromisoformat(line.pop("timestamp")).astimezone(UTC)
    numbers = {"volume": int(line["volume"]), "duration": float(line["duration"])}
    return {"_timestamp": time, **line, **numbers}


class Mongo:
    def __init__(self, parent):
        self.folder, self.server = None, None
        url = os.environ.get("BACKDROP_BENCH_MONGODB_URL")
        if not url:
            self.folder = tempfile.mkdtemp(prefix="mongod-", dir=parent)
            port = str(free_port())
            command = ["mongod", "--bind_ip", "127.0.0.1", "--port", port, "--dbpath", self.folder]
            # The kernel tells the server to end when this program is gone.
            command = ["setpriv", "--pdeathsig", "INT", *command]
            self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        self.client = pymongo.MongoClient(url, tz_aware=True)
        self.records = self.client[DATABASE]["record"]

    def about(self):
        return f"MongoDB {self.client.server_info()['version']}"

    def load(self, csv, records):
        self.records.drop()
        with open(csv, newline="", encoding="utf-8") as file:
            batch = []
            for line in csv_format.DictReader(file):
                batch.append(document(line))
                if len(batch) == 10_000:
                    self.records.insert_many(batch)
                    batch = []
            if batch:
                self.records.insert_many(batch)
        self.records.create_index("_timestamp")
        found = self.records.count_documents({})
        if found != records:
            raise RuntimeError(f"{found} records were loaded, not {records}")
        return True

    def query(self, name, start, end):
        found = list(self.records.aggregate(pipeline(name, start, end), allowDiskUse=True))
        return [flat(name, document) for document in found]

    def close(self):
        self.records.drop()
        self.client.close()
        if self.server is not None:
            self.server.terminate()
            self.server.wait()
            shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    serve(Mongo(sys.argv[1]))
