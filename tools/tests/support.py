"""What the tests of the tools need: an sshd, servers that say `hello` as MongoDB's do, and deadlines."""
import getpass
import importlib.util
import os
import shutil
import socket
import socketserver
import struct
import subprocess
import threading
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
STUBS = TOOLS / "tests" / "stubs"
DEADLINE_SECONDS = 30


def load_mongo_secondary():
    spec = importlib.util.spec_from_file_location("mongo_secondary", TOOLS / "mongo-secondary.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("%s: not within %d s" % (what, DEADLINE_SECONDS))
        time.sleep(0.02)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def command_lines():
    """The command lines of all processes, by their ids."""
    lines = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            pass
    return lines


class Sshd:
    """A real sshd on loopback that takes one key, which is made for it."""

    def __init__(self, folder, environment):
        self.folder = Path(folder)
        self.key = self.make_key("key")
        self.make_key("host_key")
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        self.user = getpass.getuser()
        self.environment = environment
        self.start()

    def make_key(self, name):
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    def write_config(self):
        config = self.folder / "sshd_config"
        variables = " ".join('"%s=%s"' % variable for variable in self.environment.items())
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f"HostKey {self.folder}/host_key\n"
            f"PidFile {self.folder}/sshd.pid\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\n"
            f"SetEnv {variables}\n"
            "UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        )
        return config

    def start(self):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        # Another program may be faster to take a port that was free.
        for _ in range(5):
            self.port = free_port()
            command = [shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin"), "-D", "-f", self.write_config()]
            self.process = subprocess.Popen([*command, "-E", self.folder / "sshd.log"])
            wait_until(lambda: self.answers() or self.process.poll() is not None, "sshd answers")
            if self.process.poll() is None:
                break
        else:
            raise AssertionError("sshd does not start: " + (self.folder / "sshd.log").read_text())
        host_key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}\n")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def options(self):
        """What replicate-db.sh needs to be told to get in; nothing of the user's own ssh settings counts."""
        options = ["--ssh-port", str(self.port), "--identity", str(self.key)]
        for option in ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={self.folder}/known_hosts", "IdentityAgent=none"):
            options += ["--ssh-option", option]
        return options

    def stop(self):
        self.process.terminate()
        self.process.wait()


def encode_bson(document):
    body = b""
    for key, value in document.items():
        name = key.encode() + b"\0"
        if isinstance(value, bool):
            body += b"\x08" + name + bytes([value])
        elif isinstance(value, float):
            body += b"\x01" + name + struct.pack("<d", value)
        elif isinstance(value, str):
            text = value.encode() + b"\0"
            body += b"\x02" + name + struct.pack("<i", len(text)) + text
        elif isinstance(value, list):
            body += b"\x04" + name + encode_bson({str(index): item for index, item in enumerate(value)})
        else:
            body += b"\x05" + name + struct.pack("<iB", len(value), 0) + value
    return struct.pack("<i", len(body) + 5) + body + b"\0"


class Member(socketserver.ThreadingTCPServer):
    """A server that answers every message with one document, as a member of a replica set answers `hello`."""

    daemon_threads = True

    def __init__(self, reply=None):
        super().__init__(("127.0.0.1", 0), MemberHandler)
        self.port = self.server_address[1]
        self.address = "127.0.0.1:%d" % self.port
        self.reply = {"ok": 1.0, **(reply or {})}
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class MemberHandler(socketserver.StreamRequestHandler):
    def handle(self):
        while header := self.rfile.read(16):
            length, request = struct.unpack("<ii", header[:8])
            self.rfile.read(length - 16)
            reply = encode_bson(self.server.reply)
            self.wfile.write(struct.pack("<iiiiIB", 21 + len(reply), 1, request, 2013, 0, 0) + reply)
