#!/usr/bin/env python3
"""A function for tests: a `bootstrap` that speaks the Lambda Runtime API with nothing but the standard library.

What it does is chosen by the environment, or by a member `$do` of the event, which wins:

  BEHAVIOUR   echo        answers with the event itself (the default)
              echo_event  answers {"statusCode": 200, "body": <the event as JSON text>}
              scripted    answers with the bytes of the file SCRIPT, whatever they are; what it says with `$do`, it does
              trigger     completes the event's response with what the file SCRIPT holds for its triggerSource, a JSON
                          object by trigger; where that is text, it is the error to report
              socket      does what the body of a WebSocket message says, a JSON object with `$do`; answers all else with
                          its own body
              throw       reports an error
              sleep       sleeps SECONDS (60), then answers null
              exit        ends the process with status STATUS (1)
              print       prints TEXT to standard output and standard error, then answers null
              environment answers with its environment and working directory
              init_error  reports that it cannot start;  init_exit  ends before it asks for work;  init_sleep  sleeps SECONDS first
  EVENTS      a file to which every event is appended, one line of JSON each

`{"$do": "sleep", "SECONDS": 2}` in an event sets the same things for that one invocation.
"""

import json
import os
import socket
import sys
import time

HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].rsplit(":", 1)
ROOT = "/2018-06-01/runtime"
connection = socket.create_connection((HOST, int(PORT)))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
reader = connection.makefile("rb")


def ask(method, path, body=b"", headers=()):
    lines = [f"{method} {ROOT}{path} HTTP/1.1", f"Host: {HOST}:{PORT}", f"Content-Length: {len(body)}", *headers]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    status = reader.readline()
    if not status:
        sys.exit(0)
    answer_headers = {}
    while (line := reader.readline().strip()):
        name, _, value = line.decode("latin-1").partition(":")
        answer_headers[name.lower()] = value.strip()
    return answer_headers, reader.read(int(answer_headers.get("content-length", 0)))


def answer(event):
    own = {**os.environ, **event} if isinstance(event, dict) and "$do" in event else os.environ
    behaviour = own.get("$do") or own.get("BEHAVIOUR", "echo")
    if behaviour == "echo":
        return json.dumps(event).encode()
    if behaviour == "echo_event":
        return json.dumps({"statusCode": 200, "body": json.dumps(event)}).encode()
    if behaviour == "scripted":
        with open(own["SCRIPT"], "rb") as script:
            said = script.read()
        return answer(json.loads(said)) if said.startswith(b'{"$do"') else said
    if behaviour == "trigger":
        with open(own["SCRIPT"]) as script:
            found = json.load(script).get(event["triggerSource"], {})
        if isinstance(found, str):
            raise RuntimeError(found)
        event["response"] = {**(event.get("response") or {}), **found}
        return json.dumps(event).encode()
    if behaviour == "socket":
        body = event.get("body", "")
        if '"$do"' in body:
            return answer(json.loads(body))
        return json.dumps({"statusCode": 200, "body": body}).encode()
    if behaviour == "throw":
        raise RuntimeError(own.get("TEXT", "it was told to fail"))
    if behaviour == "sleep":
        time.sleep(float(own.get("SECONDS", 60)))
    elif behaviour == "exit":
        os._exit(int(own.get("STATUS", 1)))
    elif behaviour == "print":
        os.write(1, f"{own.get('TEXT', 'out')}\n".encode())
        os.write(2, f"{own.get('TEXT', 'out')} too\n".encode())
    elif behaviour == "environment":
        return json.dumps({"environment": dict(os.environ), "folder": os.getcwd(), "process": os.getpid()}).encode()
    elif behaviour == "large":
        return b'"' + b"x" * int(own["BYTES"]) + b'"'
    return b"null"


def failure(kind, message):
    body = json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": []}).encode()
    return body, [f"Lambda-Runtime-Function-Error-Type: {kind}"]


start = os.environ.get("BEHAVIOUR")
if start == "init_error":
    ask("POST", "/init/error", *failure("Start", "it cannot start"))
    sys.exit(1)
if start == "init_exit":
    sys.exit(int(os.environ.get("STATUS", 1)))
if start == "init_sleep":
    time.sleep(float(os.environ.get("SECONDS", 60)))

while True:
    headers, body = ask("GET", "/invocation/next")
    request_id = headers.get("lambda-runtime-aws-request-id")
    if request_id is None:
        sys.exit(0)
    event = json.loads(body or b"null")
    if "EVENTS" in os.environ:
        with open(os.environ["EVENTS"], "a") as events:
            events.write(json.dumps(event) + "\n")
    try:
        ask("POST", f"/invocation/{request_id}/response", answer(event))
    except RuntimeError as error:
        ask("POST", f"/invocation/{request_id}/error", *failure("RuntimeError", str(error)))
