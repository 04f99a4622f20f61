"""What the peers share: a program that is told on its standard input what to do, an object of JSON a
line, and answers each with one. It ends when its input does.

    {"do": "about"}                                        -> {"about": "DuckDB 2.0.1"}
    {"do": "load", "csv": FILE, "records": N}              -> {"seconds": S}
    {"do": "query", "query": "a", "span": [FROM, TO],
     "rows": true}                                         -> {"ms": T, "rows": [...]}

Times are milliseconds since 1970. `ms` is the time until all rows of the answer are there as Python
objects; bringing them into the form in which answers are compared is not counted. `rows` are left
out unless they are asked for. `seconds` is null where the data was there already.
"""

import datetime
import json
import sys
import time

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = datetime.timedelta(milliseconds=1)


def instant(millis):
    return EPOCH + millis * MILLISECOND


def comparable(cell):
    """A cell in the form in which answers are compared."""
    if isinstance(cell, datetime.datetime):
        cell = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
        return round((cell - EPOCH) / MILLISECOND)
    if isinstance(cell, (list, tuple, set)):
        return " ".join(sorted(cell))
    return cell if isinstance(cell, (int, float, str)) or cell is None else float(cell)


def answer(engine, request):
    if request["do"] == "about":
        return {"about": engine.about()}
    if request["do"] == "load":
        start = time.perf_counter()
        was_loaded = engine.load(request["csv"], request["records"])
        return {"seconds": time.perf_counter() - start if was_loaded else None}
    start = time.perf_counter()
    rows = engine.query(request["query"], *request["span"])
    took = (time.perf_counter() - start) * 1000
    if not request["rows"]:
        return {"ms": took}
    return {"ms": took, "rows": [[comparable(cell) for cell in row] for row in rows]}


def serve(engine):
    try:
        for line in sys.stdin:
            try:
                reply = answer(engine, json.loads(line))
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), flush=True)
    finally:
        engine.close()
