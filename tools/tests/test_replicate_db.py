"""Tests of tools/replicate-db.sh over a real sshd on loopback.

In most of them stand-ins take the place of backdrop-write and mongodump, to see how they are called and to stop in the
middle of them. `EndToEnd` copies a real database with the real program.
"""
import gzip
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from support import DEADLINE_SECONDS, STUBS, TOOLS, Member, Sshd
from support import command_lines, free_port, load_mongo_secondary, wait_until

SCRIPT = TOOLS / "replicate-db.sh"
# What quoting and encoding have to get right.
SECRET = "it's 100% \"s3cret\" $HOME@host/ö"
DUMPED = ["buckets.bson.gz", "flights.bson.gz"]
IGNORED = ["system.indexes", "govuk_asset_requests", "govuk_info_page_statistics", "_audit"]


class OverSsh(unittest.TestCase):
    """An sshd for all tests of a class, and folders for each test that show what was left behind."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="replicate-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.local, cls.remote, cls.stub, cls.remote_programs = (
            cls.make_folder(name) for name in ("local", "remote", "stub", "programs")
        )
        environment = {
            "PATH": "%s:%s" % (cls.remote_programs, os.environ["PATH"]),
            "TMPDIR": str(cls.remote),
            "STUB_FOLDER": str(cls.stub),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        cls.sshd = Sshd(cls.make_folder("sshd"), environment)
        cls.addClassCleanup(cls.sshd.stop)

    @classmethod
    def make_folder(cls, name):
        (cls.folder / name).mkdir()
        return cls.folder / name

    def setUp(self):
        for folder in (self.stub, self.remote_programs):
            shutil.rmtree(folder)
            folder.mkdir()
        (self.stub / "secret").write_text(SECRET, encoding="utf-8")
        (self.remote_programs / "mongodump").symlink_to(STUBS / "mongodump")
        self.member = self.start_member()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BACKDROP_")},
            "BACKDROP_WRITE": str(STUBS / "backdrop-write"),
            "STUB_FOLDER": str(self.stub),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.local),
        }

    def tearDown(self):
        self.assertEqual(list(self.local.iterdir()), [], "left behind here")
        wait_until(lambda: not list(self.remote.iterdir()), "the folder on the source is gone")
        left = [line for line in command_lines().values() if str(self.local) in line]
        self.assertEqual(left, [], "still running")

    def start_member(self, **reply):
        member = Member(reply)
        self.addCleanup(member.stop)
        return member

    def command(self, *arguments, port=None):
        source = "%s@127.0.0.1" % self.sshd.user
        port = port or self.member.port
        return [str(SCRIPT), *self.sshd.options(), "--port", str(port), *map(str, arguments), source]

    def start(self, command, **more):
        # Where the tests run in the background they ignore SIGINT, and so would all that they start.
        return subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            **{"stdin": subprocess.DEVNULL, **more},
        )

    def run_command(self, command, code=0, **more):
        process = self.start(command, **more)
        output, _ = process.communicate(timeout=2 * DEADLINE_SECONDS)
        self.assertEqual(process.returncode, code, output)
        return output

    def replicate(self, *arguments, code=0, port=None):
        return self.run_command(self.command(*arguments, port=port), code)

    def calls(self):
        path = self.stub / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def call_names(self):
        return [call["name"] for call in self.calls()]


class ThroughTunnel(OverSsh):
    def test_exports_from_the_source_and_restores_into_the_target(self):
        output = self.replicate("--yes")
        export, restore = self.calls()
        url = urlsplit(export["environment"]["BACKDROP_DATABASE_URL"])
        self.assertEqual((url.scheme, url.hostname, url.path), ("mongodb", "127.0.0.1", "/backdrop"))
        self.assertEqual((url.query, url.username), ("directConnection=true", None))
        self.assertNotEqual(url.port, self.member.port)
        self.assertEqual(export["server"], "alone")
        self.assertEqual(export["environment"]["BACKDROP_READ_PREFERENCE"], "secondaryPreferred")
        excluded = [argument for name in IGNORED for argument in ("--exclude", name)]
        folder = export["arguments"][1]
        self.assertEqual(export["arguments"], ["export", folder, "--db", "backdrop", "--gzip", *excluded])
        self.assertEqual(restore["arguments"], ["restore", folder, "--db", "backdrop", "--drop", *excluded])
        self.assertEqual(restore["environment"], {"BACKDROP_DATABASE_URL": "mongodb://localhost/backdrop"})
        self.assertEqual(sorted(restore["files"]), ["backdrop/" + name for name in DUMPED])
        self.assertIn("127.0.0.1:%d (alone), database backdrop" % self.member.port, output)

    def test_takes_other_databases_targets_and_collections(self):
        self.replicate("--yes", "--database", "preview", "--ignore", "sessions", "--sqlite", "copy of it.db")
        export, restore = self.calls()
        self.assertTrue(export["environment"]["BACKDROP_DATABASE_URL"].endswith("/preview?directConnection=true"))
        self.assertEqual(export["arguments"][-2:], ["--exclude", "sessions"])
        self.assertEqual(restore["environment"]["BACKDROP_DATABASE_URL"], "sqlite://%s/copy of it.db" % os.getcwd())

    def test_does_not_show_the_targets_password(self):
        self.environment["BACKDROP_TARGET_URI"] = "mongodb://ann:hidden@example.org:1/copy?tlsInsecure=true"
        output = self.replicate("--yes")
        restore = self.calls()[1]
        self.assertEqual(restore["environment"]["BACKDROP_DATABASE_URL"], self.environment["BACKDROP_TARGET_URI"])
        self.assertIn("to        mongodb://example.org:1/copy\n", output)
        self.assertNotIn("hidden", output)

    def check_credentials(self, *arguments):
        self.replicate("--yes", "--user", "a:b", "--auth-database", "admin", *arguments)
        export, restore = self.calls()
        encoded = "it%27s%20100%25%20%22s3cret%22%20%24HOME%40host%2F%C3%B6"
        url = export["environment"]["BACKDROP_DATABASE_URL"]
        self.assertIn("mongodb://a%3Ab:" + encoded + "@127.0.0.1:", url)
        self.assertTrue(url.endswith("/backdrop?directConnection=true&authSource=admin"), url)
        self.assertNotIn("BACKDROP_SOURCE_PASSWORD", export["environment"])
        self.assertNotIn("BACKDROP_SOURCE_PASSWORD", restore["environment"])
        self.assertFalse(export["secret_shown"] or restore["secret_shown"])

    def test_takes_the_password_from_a_file(self):
        self.check_credentials("--password-file", self.stub / "secret")

    def test_takes_the_password_from_the_environment(self):
        self.environment["BACKDROP_SOURCE_PASSWORD"] = SECRET
        self.check_credentials()

    def start_set(self):
        """A primary that knows of a member that is down, of one of another set, and of a secondary."""
        self.secondary = self.start_member(setName="rs0", secondary=True)
        stranger = self.start_member(setName="rs1", secondary=True)
        hosts = ["127.0.0.1:%d" % free_port(), stranger.address, self.secondary.address]
        self.member.reply.update(setName="rs0", isWritablePrimary=True, hosts=[self.member.address, *hosts])
        self.member.reply["primary"] = self.member.address

    def test_reads_from_a_secondary(self):
        self.start_set()
        output = self.replicate("--yes")
        self.assertEqual(self.calls()[0]["server"], "secondary rs0")
        self.assertIn("%s (secondary)" % self.secondary.address, output)

    def test_reads_from_the_primary_while_no_secondary_answers(self):
        self.start_set()
        self.secondary.reply.update(secondary=False)
        output = self.replicate("--yes")
        self.assertEqual(self.calls()[0]["server"], "primary rs0")
        self.assertIn("%s (primary)" % self.member.address, output)

    def test_says_when_there_is_no_mongodb(self):
        output = self.replicate("--yes", port=free_port(), code=1)
        self.assertIn("no MongoDB answers at 127.0.0.1:", output)
        self.assertEqual(self.calls(), [])

    def test_does_not_restore_when_the_export_fails(self):
        (self.stub / "fail-export").touch()
        self.assertIn("the export failed", self.replicate("--yes", code=1))
        self.assertEqual(self.call_names(), ["export"])

    def test_fails_when_the_restore_fails(self):
        (self.stub / "fail-restore").touch()
        self.assertIn("the restore failed", self.replicate("--yes", code=1))


class WithMongodump(OverSsh):
    def test_dumps_there_and_restores_here(self):
        output = self.replicate("--yes", "--with-mongodump", "--database", "preview", "--ignore", "it's")
        dump, restore = self.calls()
        excluded = [argument for name in [*IGNORED, "it's"] for argument in ("--excludeCollection", name)]
        expected = ["--host=127.0.0.1", "--port=%d" % self.member.port, "--db=preview", "--gzip"]
        expected = ["--out=" + dump["folder"], *expected, "--readPreference=secondaryPreferred", *excluded]
        self.assertEqual(dump["arguments"], expected)
        self.assertTrue(dump["folder"].startswith(str(self.remote)), dump["folder"])
        self.assertEqual(restore["files"], {"preview/" + name: "of preview" for name in DUMPED})
        self.assertIn("mongodump has written everything", output)

    def test_gives_the_password_on_standard_input(self):
        self.environment["BACKDROP_SOURCE_PASSWORD"] = SECRET
        self.replicate("--yes", "--with-mongodump", "--user", "ann")
        dump, restore = self.calls()
        self.assertEqual(dump["config"], "password: '%s'\n" % SECRET.replace("'", "''"))
        self.assertIn("--username=ann", dump["arguments"])
        self.assertIn("--authenticationDatabase=backdrop", dump["arguments"])
        self.assertFalse(dump["secret_shown"] or restore["secret_shown"])

    def test_dumps_from_a_secondary(self):
        secondary = self.start_member(setName="rs0", secondary=True)
        self.member.reply.update(setName="rs0", isWritablePrimary=True, hosts=[secondary.address])
        self.replicate("--yes", "--with-mongodump")
        self.assertIn("--port=%d" % secondary.port, self.calls()[0]["arguments"])

    def test_needs_no_tunnel(self):
        port = free_port()
        self.assertIn("(not asked)", self.replicate("--yes", "--with-mongodump", port=port))
        self.assertIn("--port=%d" % port, self.calls()[0]["arguments"])

    def test_does_not_restore_when_the_dump_fails(self):
        (self.stub / "fail-mongodump").touch()
        self.assertIn("mongodump on the source failed", self.replicate("--yes", "--with-mongodump", code=1))
        self.assertEqual(self.call_names(), ["mongodump"])

    @unittest.skipIf(shutil.which("mongodump"), "there is a real mongodump here")
    def test_says_when_it_is_missing(self):
        (self.remote_programs / "mongodump").unlink()
        output = self.replicate("--yes", "--with-mongodump", code=1)
        self.assertIn("mongodump is missing on the source", output)


class Asking(OverSsh):
    def answer(self, text, code):
        terminal, stdin = pty.openpty()
        try:
            os.write(terminal, text)
            return self.run_command(self.command(), code, stdin=stdin)
        finally:
            os.close(terminal)
            os.close(stdin)

    def test_overwrites_after_a_yes(self):
        output = self.answer(b"y\n", 0)
        self.assertIn("Overwrite mongodb://localhost/backdrop? [y/N]", output)
        self.assertEqual(self.call_names(), ["export", "restore"])

    def test_changes_nothing_after_anything_else(self):
        for text in (b"\n", b"n\n", b"\x04"):
            self.assertIn("nothing was changed", self.answer(text, 1))
        self.assertEqual(self.calls(), [])

    def test_refuses_where_it_cannot_ask(self):
        self.assertIn("--yes", self.replicate(code=1))
        self.assertEqual(self.calls(), [])

    def test_a_dry_run_asks_nothing_and_changes_nothing(self):
        output = self.replicate("--dry-run")
        export, restore = self.calls()
        self.assertEqual((export["name"], restore["arguments"][4:6]), ("export", ["--drop", "--dry-run"]))
        self.assertIn("nothing was changed", output)


class Refusals(OverSsh):
    def test_wrong_usage(self):
        for arguments in (
            ["--port", "x"],
            ["--database", "a/b"],
            ["--mongo-host", "-x y"],
            ["--no-such-option", "x"],
            ["--ignore"],
            ["--sqlite", "x.db", "mongodb://localhost/x"],
            ["mongodb://localhost/x", "-x"],
            ["postgres://localhost/x"],
            ["one", "two"],
            ["--user", "ann"],
            ["--password-file", self.stub / "secret"],
        ):
            output = self.run_command([str(SCRIPT), "--yes", "user@host", *map(str, arguments)], 2)
            self.assertIn("--help says more", output)
        self.assertIn("the source is missing", self.run_command([str(SCRIPT)], 2))

    def test_help(self):
        output = self.run_command([str(SCRIPT), "--help"])
        self.assertTrue(output.startswith("Copies a database"), output)
        self.assertTrue(output.endswith("130 when interrupted.\n"), output)

    def test_says_how_to_get_what_is_missing(self):
        programs = self.stub / "bin"
        programs.mkdir()
        for name in ("bash", "dirname", "python3"):
            (programs / name).symlink_to(shutil.which(name))
        self.environment["PATH"] = str(programs)
        self.assertIn("apt-get install openssh-client", self.replicate("--yes", code=1))

    def test_a_source_that_is_not_there(self):
        command = self.command("--yes")
        command[command.index("--ssh-port") + 1] = str(free_port())
        output = self.run_command(command, 1)
        self.assertIn("Connection refused", output)
        self.assertIn("ssh cannot connect to", output)

    def test_a_key_that_the_source_does_not_know(self):
        command = self.command("--yes")
        command[command.index("--identity") + 1] = str(self.sshd.make_key("other_key"))
        output = self.run_command(command, 1)
        self.assertIn("Permission denied", output)
        self.assertIn("ssh cannot connect to", output)
        self.assertEqual(self.calls(), [])

    def test_a_host_key_that_is_not_known(self):
        output = self.replicate("--yes", "--ssh-option", "HostKeyAlias=other", code=1)
        self.assertIn("Host key verification failed", output)


class Interruptions(OverSsh):
    def start_and_wait(self, program, *arguments):
        (self.stub / ("hold-" + program)).touch()
        process = self.start(self.command("--yes", *arguments))
        inside = self.stub / ("inside-" + program)
        wait_until(lambda: inside.exists() or process.poll() is not None, program + " runs")
        return process

    def check_ended(self, process, code):
        output, _ = process.communicate(timeout=2 * DEADLINE_SECONDS)
        self.assertEqual(process.returncode, code, output)
        for call in self.calls():
            wait_until(lambda: call["process"] not in command_lines(), call["name"] + " has ended")
        return output

    def check(self, program, interrupt, *arguments):
        process = self.start_and_wait(program, *arguments)
        interrupt(process)
        output = self.check_ended(process, 130)
        self.assertIn("interrupted", output)
        return output

    def press_ctrl_c(self, process):
        try:
            os.killpg(process.pid, signal.SIGINT)
        except ProcessLookupError:
            pass

    def check_signal(self, number):
        self.check("export", lambda process: process.send_signal(number))
        self.assertEqual(self.call_names(), ["export"])

    def test_sigint_to_the_script_alone(self):
        self.check_signal(signal.SIGINT)

    def test_sigterm(self):
        self.check_signal(signal.SIGTERM)

    def test_sighup(self):
        self.check_signal(signal.SIGHUP)

    def test_ctrl_c_during_the_export(self):
        self.check("export", self.press_ctrl_c)

    def test_ctrl_c_during_the_restore(self):
        output = self.check("restore", self.press_ctrl_c)
        self.assertIn("the target has only a part of the copy", output)

    def test_ctrl_c_during_mongodump(self):
        self.check("mongodump", self.press_ctrl_c, "--with-mongodump")

    def test_sigterm_during_mongodump(self):
        self.check("mongodump", subprocess.Popen.terminate, "--with-mongodump")

    def test_a_connection_that_is_lost_during_mongodump(self):
        process = self.start_and_wait("mongodump", "--with-mongodump")
        (connection,) = [number for number, line in command_lines().items() if " -M -S %s" % self.local in line]
        os.kill(connection, signal.SIGKILL)
        self.assertIn("mongodump on the source failed", self.check_ended(process, 1))

    def test_ctrl_c_while_it_asks(self):
        terminal, stdin = pty.openpty()
        process = self.start(self.command(), stdin=stdin)
        try:
            # The prompt has no line end, so it is read as it comes.
            output = b""
            while b"[y/N]" not in output:
                output += os.read(process.stdout.fileno(), 1000)
            # Again until it ends, since bash heeds no signal between writing the prompt and reading.
            wait_until(lambda: self.press_ctrl_c(process) or process.poll() is not None, "it ends")
            self.check_ended(process, 130)
        finally:
            os.close(terminal)
            os.close(stdin)
        self.assertEqual(self.calls(), [])


class EndToEnd(OverSsh):
    """With the real program and a real MongoDB server, which check-replicate.sh provides."""

    def setUp(self):
        self.server, self.program = (
            os.environ.get(name) for name in ("BACKDROP_TEST_MONGODB_URL", "BACKDROP_TEST_WRITE")
        )
        if not self.server or not self.program:
            self.skipTest("BACKDROP_TEST_MONGODB_URL and BACKDROP_TEST_WRITE are not set: use tools/check-replicate.sh")
        super().setUp()
        self.server = self.server.rstrip("/")
        self.environment["BACKDROP_WRITE"] = self.program
        self.source = self.database("source")
        self.seed()

    def database(self, name):
        name = "replicate_%s_%d" % (name, os.getpid())
        self.drop(name)
        self.addCleanup(self.drop, name)
        return name

    def drop(self, database):
        mongo_secondary = load_mongo_secondary()
        with socket.create_connection(("127.0.0.1", urlsplit(self.server).port)) as connection:
            mongo_secondary.run_command(connection, "dropDatabase", database)

    def backdrop(self, url, *arguments):
        environment = {**self.environment, "BACKDROP_DATABASE_URL": url}
        del environment["BACKDROP_WRITE"]
        result = subprocess.run([self.program, *map(str, arguments)], env=environment, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def seed(self):
        """Two buckets with records of every kind of value, and one that is never copied."""
        url = "%s/%s" % (self.server, self.source)
        records = [
            {"_id": "a", "_timestamp": "2001-01-01T06:55:00.123Z", "origin": "LAX", "delay": -19, "late": False},
            {"_id": "b", "_timestamp": "2001-01-02T06:55:00Z", "origin": "Malmö", "delay": 0.5, "why": None},
            {"origin": "SFO", "delay": 9007199254740993},
        ]
        buckets = {name: self.make_bucket(url, name) for name in ("flights", "weather", IGNORED[1])}
        self.post(url, {name: (token, records) for name, token in buckets.items()})

    def make_bucket(self, url, name):
        output = self.backdrop(url, "bucket", "create", name, "--data-group", "sample", "--data-type", name)
        return output.split()[-1]

    def post(self, url, buckets):
        port = free_port()
        environment = {**self.environment, "BACKDROP_DATABASE_URL": url, "BACKDROP_LOG": "off"}
        del environment["BACKDROP_WRITE"]
        app = subprocess.Popen([self.program, "--port", str(port)], env=environment)
        try:
            wait_until(lambda: self.answers(port) or app.poll() is not None, "the write app answers")
            for name, (token, records) in buckets.items():
                headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
                address = "http://127.0.0.1:%d/%s" % (port, name)
                urllib.request.urlopen(urllib.request.Request(address, json.dumps(records).encode(), headers)).close()
        finally:
            app.terminate()
            app.wait()

    @staticmethod
    def answers(port):
        try:
            urllib.request.urlopen("http://127.0.0.1:%d/_status" % port).close()
            return True
        except OSError:
            return False

    def contents(self, url):
        """What an export has of a database, a list of documents by collection, in an order of its own."""
        decode = load_mongo_secondary().decode
        contents = {}
        with tempfile.TemporaryDirectory() as folder:
            self.backdrop(url, "export", Path(folder) / "out", "--gzip")
            for path in Path(folder).rglob("*.bson.gz"):
                data, documents = gzip.decompress(path.read_bytes()), []
                while data:
                    length = int.from_bytes(data[:4], "little")
                    documents.append(sorted(decode(data[:length]).items(), key=repr))
                    data = data[length:]
                contents[path.name] = sorted(documents, key=repr)
        return contents

    def check_copy(self, target, *arguments):
        before = self.contents("%s/%s" % (self.server, self.source))
        self.replicate("--yes", "--database", self.source, *arguments, port=urlsplit(self.server).port)
        left_out = {name + ".bson.gz" for name in IGNORED}
        expected = {name: documents for name, documents in before.items() if name not in left_out}
        # A bucket is left out with its configuration.
        buckets = expected["buckets.bson.gz"]
        expected["buckets.bson.gz"] = [bucket for bucket in buckets if IGNORED[1] not in dict(bucket).values()]
        counts = {name: len(documents) for name, documents in expected.items() if documents}
        self.assertEqual(counts, {"buckets.bson.gz": 2, "flights.bson.gz": 3, "weather.bson.gz": 3})
        self.assertEqual(self.contents(target), expected)
        self.assertEqual(self.contents("%s/%s" % (self.server, self.source)), before)

    def test_into_another_database(self):
        target = "%s/%s" % (self.server, self.database("target"))
        self.environment["BACKDROP_TARGET_URI"] = target
        self.check_copy(target)
        # Once more over what is there now.
        self.check_copy(target)

    def test_into_a_file_of_the_embedded_store(self):
        file = self.stub / "copy.db"
        self.check_copy("sqlite://%s" % file, "--sqlite", file)
        self.check_copy("sqlite://%s" % file, "--sqlite", file)

    def test_a_dry_run_leaves_the_target_as_it_is(self):
        target = "%s/%s" % (self.server, self.database("target"))
        self.make_bucket(target, "flights")
        before = self.contents(target)
        self.environment["BACKDROP_TARGET_URI"] = target
        self.replicate("--dry-run", "--database", self.source, port=urlsplit(self.server).port)
        self.assertEqual(self.contents(target), before)


if __name__ == "__main__":
    unittest.main()
