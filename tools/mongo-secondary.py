#!/usr/bin/env python3
"""Ask a MongoDB server what it is in its replica set, without MongoDB's tools.

    mongo-secondary.py PORT

asks the server at 127.0.0.1:PORT, which is where replicate-db.sh has its tunnel. The first line of
the answer is the server's state and the name of its set: "primary rs0", "secondary rs0", "other
rs0", or "alone" where there is no set. Each further line is the address of a member that may be a
secondary, in the words of the set. Ends with 1 if nothing there answers as MongoDB does.

It knows as much of the protocol as that takes: one command in an OP_MSG, one reply.
"""
import re
import socket
import struct
import sys

OP_MSG = 2013
TIMEOUT_SECONDS = 5
MAX_REPLY_BYTES = 1 << 20
ADDRESS = re.compile(r"[A-Za-z0-9_.\-]+:[0-9]+|\[[0-9A-Fa-f:.]+\]:[0-9]+")
# By BSON's type numbers: values of fixed length.
FIXED = {0x01: "<d", 0x09: "<q", 0x10: "<i", 0x11: "<Q", 0x12: "<q", 0x07: "12s", 0x13: "16s"}


class NotMongo(Exception):
    """What answered, if anything did, is no MongoDB server."""


def encode_command(name, database):
    """The BSON document {name: 1, $db: database}."""
    text = database.encode() + b"\0"
    body = b"\x10" + name.encode() + b"\0" + struct.pack("<i", 1) + b"\x02$db\0" + struct.pack("<i", len(text)) + text
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def decode(data):
    """A BSON document as a dict; arrays are dicts with "0", "1", … as in BSON itself."""
    document, at = {}, 4
    while data[at]:
        kind, end = data[at], data.index(b"\0", at + 1)
        name, at = data[at + 1 : end].decode(), end + 1
        if kind in FIXED:
            (value,) = struct.unpack_from(FIXED[kind], data, at)
            at += struct.calcsize(FIXED[kind])
        elif kind == 0x02:
            length = struct.unpack_from("<i", data, at)[0]
            value, at = data[at + 4 : at + 3 + length].decode(), at + 4 + length
        elif kind in (0x03, 0x04):
            length = struct.unpack_from("<i", data, at)[0]
            value, at = decode(data[at : at + length]), at + length
        elif kind == 0x05:
            length = struct.unpack_from("<i", data, at)[0]
            value, at = data[at + 5 : at + 5 + length], at + 5 + length
        elif kind == 0x08:
            value, at = data[at] == 1, at + 1
        elif kind == 0x0A:
            value = None
        else:
            raise NotMongo("a value of the type %#x is not expected" % kind)
        document[name] = value
    return document


def receive(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise NotMongo("the connection ended")
        data += part
    return data


def run_command(connection, name, database="admin"):
    document = encode_command(name, database)
    connection.sendall(struct.pack("<iiiiIB", 21 + len(document), 1, 0, OP_MSG, 0, 0) + document)
    length, _, _, operation = struct.unpack("<iiii", receive(connection, 16))
    if operation != OP_MSG or not 26 <= length <= MAX_REPLY_BYTES:
        raise NotMongo("the reply is not one of MongoDB's")
    try:
        return decode(receive(connection, length - 16)[5:])
    except (IndexError, ValueError, struct.error) as error:
        raise NotMongo("the reply cannot be read: %s" % error) from error


def hello(port):
    """What the server says of itself. Servers older than 4.4 know the command by its first name."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        reply = {}
        for name in ("hello", "isMaster"):
            reply = run_command(connection, name)
            if reply.get("ok") == 1:
                return reply
        raise NotMongo(reply.get("errmsg", "the server refuses to say what it is"))


def state(reply):
    if "setName" not in reply:
        return "alone"
    if reply.get("isWritablePrimary") or reply.get("ismaster"):
        return "primary " + reply["setName"]
    return ("secondary " if reply.get("secondary") else "other ") + reply["setName"]


def other_members(reply):
    """Members with data that are neither the one that was asked nor the primary; hidden ones are in no list."""
    members = [*reply.get("hosts", {}).values(), *reply.get("passives", {}).values()]
    known = (reply.get("me"), reply.get("primary"))
    return [member for member in members if member not in known and ADDRESS.fullmatch(member)]


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    try:
        reply = hello(int(sys.argv[1]))
    except (OSError, NotMongo) as error:
        sys.exit("no answer from MongoDB: %s" % error)
    print("\n".join([state(reply), *other_members(reply)]))


if __name__ == "__main__":
    main()
