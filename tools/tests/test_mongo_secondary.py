"""Tests of tools/mongo-secondary.py against servers that answer as members of a replica set do."""
import socket
import struct
import subprocess
import unittest

from support import TOOLS, Member, encode_bson, free_port, load_mongo_secondary

mongo_secondary = load_mongo_secondary()


class MongoSecondary(unittest.TestCase):
    def run_program(self, port):
        program = [TOOLS / "mongo-secondary.py", str(port)]
        return subprocess.run(program, capture_output=True, text=True, timeout=60)

    def check(self, reply, expected):
        member = Member(reply)
        self.addCleanup(member.stop)
        result = self.run_program(member.port)
        self.assertEqual((result.returncode, result.stdout.splitlines()), (0, expected), result.stderr)

    def test_says_what_the_server_is(self):
        self.check({}, ["alone"])
        self.check({"msg": "isdbgrid"}, ["alone"])
        self.check({"setName": "rs0", "isWritablePrimary": True}, ["primary rs0"])
        self.check({"setName": "rs0", "ismaster": True, "secondary": False}, ["primary rs0"])
        self.check({"setName": "rs0", "isWritablePrimary": False, "secondary": True}, ["secondary rs0"])
        self.check({"setName": "rs0", "arbiterOnly": True}, ["other rs0"])

    def test_lists_who_may_be_a_secondary(self):
        set_of_four = {
            "setName": "rs0",
            "isWritablePrimary": True,
            "hosts": ["one:27017", "two:27017", "[::1]:27019"],
            "passives": ["slow.example.org:27018"],
            "primary": "one:27017",
            "me": "one:27017",
        }
        self.check(set_of_four, ["primary rs0", "two:27017", "[::1]:27019", "slow.example.org:27018"])

    def test_passes_over_what_is_no_address(self):
        hosts = ["-o ProxyCommand=x:1", "two words:27017", "two:27017\nthree:1", "no-port", "/tmp/mongodb.sock"]
        self.check({"setName": "rs0", "hosts": [*hosts, "two:27017"]}, ["other rs0", "two:27017"])

    def test_reads_every_type_that_servers_answer_with(self):
        document = {"a": 1.5, "b": "é", "c": ["x", "y"], "d": b"bytes", "e": False}
        read = mongo_secondary.decode(encode_bson(document))
        self.assertEqual(read, {"a": 1.5, "b": "é", "c": {"0": "x", "1": "y"}, "d": b"bytes", "e": False})
        values = b"\x07i\0" + b"i" * 12 + b"\x09t\0" + struct.pack("<q", -1) + b"\x0an\0" + b"\x10s\0" + struct.pack("<i", 7)
        read = mongo_secondary.decode(struct.pack("<i", len(values) + 5) + values + b"\0")
        self.assertEqual(read, {"i": b"i" * 12, "t": -1, "n": None, "s": 7})

    def test_ends_with_1_where_no_server_answers(self):
        result = self.run_program(free_port())
        self.assertEqual(result.returncode, 1)
        self.assertIn("no answer from MongoDB", result.stderr)

    def test_ends_with_1_where_something_else_answers(self):
        for answer in (b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", struct.pack("<iiii", 30, 1, 1, 2013) + b"\0" * 14):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                program = [TOOLS / "mongo-secondary.py", str(listener.getsockname()[1])]
                process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                connection, _ = listener.accept()
                connection.recv(1000)
                connection.sendall(answer)
                connection.close()
                output, errors = process.communicate(timeout=60)
            self.assertEqual((process.returncode, output), (1, ""), answer)
            self.assertIn("no answer from MongoDB", errors)


if __name__ == "__main__":
    unittest.main()
