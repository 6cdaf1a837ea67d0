#!/usr/bin/env python3
"""Sends tasks to a worker of the demo from Python, and reads their results.

It needs Python 3.8 or later and nothing else. Start a worker, and then this:

    go run ./example_app worker -broker redis://127.0.0.1:6379
    python3 example_app/python/solve.py --redis 127.0.0.1:6379

What it knows stands in envelope/SPEC.md, which the § below refer to. An application in another language needs the same
four things: a way to make envelopes, one to open them, Machinery's JSON around them, and a Redis client.
"""

import argparse
import json
import socket
import sys
import time
import uuid


# --- Envelopes --------------------------------------------------------------------------------------------------------

PREFIX = '{"$envelope":'


class EnvelopeError(Exception):
    """A text is no envelope, or one that this reader cannot open."""


def envelope(type_name, data):
    """Returns a value as it stands inside of another envelope, where that has an interface (§6)."""
    return {"$envelope": 1, "type": type_name, "data": data}


def write(value):
    """Returns JSON as text: without white space, in UTF-8, and without the NaN that JSON does not have (§2, §5.2)."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def open_envelope(text, expected):
    """Returns the data of an envelope of the expected type. The receiver decides which type that is (§4)."""
    try:
        opened = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except ValueError as error:
        raise EnvelopeError(f"malformed: {error}") from None
    keys = list(opened) if isinstance(opened, dict) else []
    if not keys or keys[0] != "$envelope":
        raise EnvelopeError("malformed: $envelope is not the first key")
    if type(opened["$envelope"]) is not int or opened["$envelope"] != 1:
        raise EnvelopeError("unknown version of the format")
    if opened.get("type") != expected:
        raise EnvelopeError(f"type mismatch: not a {expected}")
    if opened.get("version", 1) != 1:
        raise EnvelopeError("unknown version of the type")
    if opened.get("codec", "json") != "json" or opened.get("encoding") or keys[-1] != "data":
        raise EnvelopeError("unsupported: only plain JSON is read here (§8, §9)")
    return opened["data"]


def unique(pairs):
    """Refuses two members of the same name (§2)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate names")
    return members


def refuse(constant):
    raise ValueError(f"{constant} is not JSON")


# --- Machinery's tasks ------------------------------------------------------------------------------------------------


def argument(value):
    """Returns an argument as Machinery has it: base types under their names, everything else in an envelope (§16)."""
    if isinstance(value, dict):
        return {"Type": "string", "Value": write(value)}
    if isinstance(value, bool):
        return {"Type": "bool", "Value": value}
    if isinstance(value, int):
        return {"Type": "int64", "Value": value}
    if isinstance(value, float):
        return {"Type": "float64", "Value": value}
    if isinstance(value, list) and all(type(element) is int for element in value):
        return {"Type": "[]int64", "Value": value}
    if isinstance(value, str):
        if value.startswith(PREFIX):  # it would be taken for an envelope
            value = write(envelope("string", value))
        return {"Type": "string", "Value": value}
    raise TypeError(f"put a {type(value).__name__} in an envelope")


class TaskFailed(Exception):
    """What a task has failed with: a text, and an envelope with the error if its type is registered (§16)."""

    def __init__(self, error):
        text, newline, last = error.rpartition("\n")
        is_typed = newline and last.startswith(PREFIX)
        super().__init__(text if is_typed else error)
        self.envelope = last if is_typed else None


class Machinery:
    """Sends tasks to a queue in Redis, and reads the results that the workers leave there."""

    def __init__(self, redis, queue):
        self.redis = redis
        self.queue = queue

    def send(self, task, *arguments):
        """Puts a task at the end of the queue and returns its UUID, the key of its result."""
        key = f"task_{uuid.uuid4()}"
        signature = {
            "UUID": key,
            "Name": task,
            "RoutingKey": self.queue,
            "Args": [argument(value) for value in arguments],
            "Headers": {"envelope-format": "1"},
        }
        self.redis.call("RPUSH", self.queue, write(signature))
        return key

    def wait(self, key, seconds):
        """Waits until a task has ended, and returns its one result as Machinery has it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = json.loads(self.redis.call("GET", key) or "{}")
            if state.get("State") == "SUCCESS":
                return state["Results"][0]["Value"]
            if state.get("State") == "FAILURE":
                raise TaskFailed(state["Error"])
            time.sleep(0.05)
        raise TimeoutError(f"no result within {seconds} s: does a worker run on the queue {self.queue}?")


# --- Redis ------------------------------------------------------------------------------------------------------------


class Redis:
    """As much of the Redis protocol as is needed here; an application has a client library for it."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.replies = self.socket.makefile("rb")

    def call(self, *words):
        encoded = [word.encode("utf-8") for word in words]
        request = b"*%d\r\n" % len(encoded)
        for word in encoded:
            request += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(request)
        return self.read()

    def read(self):
        line = self.replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ConnectionError("Redis: " + rest.decode("utf-8"))
        if kind == b":":
            return int(rest)
        if kind == b"$" and rest != b"-1":
            return self.replies.read(int(rest) + 2)[:-2].decode("utf-8")
        return None if kind == b"$" else rest.decode("utf-8")


# --- The demo ---------------------------------------------------------------------------------------------------------


def main():
    options = argparse.ArgumentParser(description="Has a worker of the demo find a tour.")
    options.add_argument("--redis", default="127.0.0.1:6379", metavar="HOST:PORT")
    options.add_argument("--queue", default="machinery-envelope-demo")
    options.add_argument("--start", default=0, type=int, metavar="CITY", help="where the search begins, 0 to 4")
    options.add_argument("--timeout", default=30, type=float, metavar="SECONDS")
    options = options.parse_args()
    host, _, port = options.redis.partition(":")

    # Go: Problem{Name: "five", Cities: []City{{X: 0, Y: 0}, …}}
    problem = envelope("tsp.Problem", {
        "name": "five",
        "cities": [{"x": 0, "y": 0}, {"x": 30, "y": 0}, {"x": 0, "y": 40}, {"x": 30, "y": 40}, {"x": 15, "y": 60}],
    })
    # Go: TwoOpt{From: NearestNeighbour{Start: 0}}. From is an interface, so what stands there is an envelope too.
    strategy = envelope("tsp.TwoOpt", {"from": envelope("tsp.NearestNeighbour", {"start": options.start})})

    try:
        machinery = Machinery(Redis(host, int(port or 6379)), options.queue)

        # A result of a registered type comes in an envelope.
        task = machinery.send("tsp.improve", problem, strategy)
        found = open_envelope(machinery.wait(task, options.timeout), "tsp.Found")
        print("tour", found["tour"]["order"], "by", found["strategy"])

        # A result of a base type comes as it is.
        task = machinery.send("tsp.length", problem, found["tour"]["order"])
        print("length", machinery.wait(task, options.timeout))
    except TaskFailed as failure:
        print("failed:", failure, file=sys.stderr)
        if failure.envelope:
            print("error", open_envelope(failure.envelope, "tsp.NoSuchCity"), file=sys.stderr)
        return 1
    except (EnvelopeError, OSError, ValueError) as error:
        print("error:", error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
