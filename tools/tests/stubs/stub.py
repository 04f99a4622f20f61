"""What the stand-ins for programs share: they note how they were called, and stop where a test tells them to.

All in one folder, which is STUB_FOLDER on both sides of the connection: `calls` has a line of JSON for each call,
`secret` the password that no command line may have, `hold-NAME` makes the program NAME wait after it has made
`inside-NAME`, `fail-NAME` makes it fail.
"""
import glob
import json
import os
import signal
import sys
import time

FOLDER = os.environ["STUB_FOLDER"]


def secret_is_on_a_command_line():
    with open(os.path.join(FOLDER, "secret"), "rb") as file:
        secret = file.read()
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if secret in file.read():
                    return True
        except OSError:
            pass
    return False


def note(name, **more):
    call = {
        "name": name,
        "arguments": sys.argv[1:],
        "environment": {key: value for key, value in os.environ.items() if key.startswith("BACKDROP_")},
        "process": os.getpid(),
        "secret_shown": secret_is_on_a_command_line(),
        **more,
    }
    with open(os.path.join(FOLDER, "calls"), "a", encoding="utf-8") as file:
        file.write(json.dumps(call) + "\n")


def stop_if_told(name):
    """Waits to be ended; by itself it ends after a minute, so that a failed test leaves nothing running."""
    if os.path.exists(os.path.join(FOLDER, "hold-" + name)):
        open(os.path.join(FOLDER, "inside-" + name), "w").close()
        signal.alarm(60)
        while True:
            time.sleep(60)


def fail_if_told(name):
    if os.path.exists(os.path.join(FOLDER, "fail-" + name)):
        sys.exit("%s was told to fail" % name)


def write_dump(folder, database):
    folder = os.path.join(folder, database)
    os.makedirs(folder)
    for name in ("buckets.bson.gz", "flights.bson.gz"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("of " + database)
