#!/usr/bin/env python3
"""Post a file of records to a bucket.

    load.py flights flights.json --timestamp date --timestamp-format '%Y/%m/%d %H:%M'
    load.py weather weather.csv --timestamp date --id date

The file is a JSON list of objects, one object a line (.ndjson), or CSV with a header (cells that
read as numbers become numbers, empty ones are left out). Records go in batches; each batch is
stored whole or not at all. A batch that the server could not take just now is sent again, so give
--id (or auto_ids in the bucket's configuration) if a record must not be there twice.
"""
import argparse
import csv
import json
import os
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime

TRIES = 6


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bucket", help="its name, or data/GROUP/TYPE")
    parser.add_argument("file")
    parser.add_argument("--url", default="http://127.0.0.1:3039", help="of the write app (%(default)s)")
    parser.add_argument("--token-file", help="holds the bucket's token (data/BUCKET.token; else $BACKDROP_TOKEN)")
    parser.add_argument("--timestamp", metavar="KEY", help="the key that becomes _timestamp")
    parser.add_argument("--timestamp-format", metavar="FORMAT", help="its format, as strptime has it; else ISO 8601")
    parser.add_argument("--id", metavar="KEY", action="append", default=[], help="keys whose values make the _id")
    parser.add_argument("--batch", type=int, default=500, help="records in one request (%(default)s)")
    return parser.parse_args()


def read_token(arguments):
    path = arguments.token_file or "data/%s.token" % arguments.bucket
    if arguments.token_file or os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    if "BACKDROP_TOKEN" in os.environ:
        return os.environ["BACKDROP_TOKEN"]
    sys.exit("no token: give --token-file, or set BACKDROP_TOKEN")


def read_records(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        if path.endswith(".csv"):
            return [{key: number(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]
        if path.endswith(".ndjson"):
            return [json.loads(line) for line in file if line.strip()]
        return json.load(file)


def number(cell):
    for read in (int, float):
        try:
            return read(cell)
        except ValueError:
            pass
    return cell


def prepare(record, arguments):
    record = dict(record)
    if arguments.id:
        record["_id"] = ".".join(str(record[key]) for key in arguments.id).replace(" ", "_")
    if arguments.timestamp:
        time_text = record.pop(arguments.timestamp)
        if arguments.timestamp_format:
            time_text = datetime.strptime(time_text, arguments.timestamp_format).isoformat()
        record["_timestamp"] = time_text
    return record


def post(url, token, records):
    request = urllib.request.Request(
        url,
        data=json.dumps(records).encode(),
        headers={"Authorization": "Bearer " + token, "Content-Type": "application/json"},
    )
    for attempt in range(1, TRIES + 1):
        try:
            urllib.request.urlopen(request, timeout=60).close()
            return
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or attempt == TRIES:
                sys.exit("refused with %d: %s" % (error.code, error.read().decode("utf-8", "replace")))
            pause = float(error.headers.get("Retry-After", 2**attempt))
        except OSError as error:
            if attempt == TRIES:
                sys.exit("cannot reach %s: %s" % (url, error))
            pause = 2**attempt
        time.sleep(pause)


def main():
    arguments = parse_arguments()
    token = read_token(arguments)
    try:
        records = [prepare(record, arguments) for record in read_records(arguments.file)]
    except (KeyError, ValueError, OSError) as error:
        sys.exit("%s: %r" % (arguments.file, error))
    url = "%s/%s" % (arguments.url.rstrip("/"), arguments.bucket)
    for start in range(0, len(records), arguments.batch):
        post(url, token, records[start : start + arguments.batch])
        print("\r%d of %d records stored" % (min(start + arguments.batch, len(records)), len(records)), end="", flush=True)
    print()


if __name__ == "__main__":
    main()
