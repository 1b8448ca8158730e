#!/usr/bin/env python3
"""A foreign WebSocket client: one connection, driven over standard input and output, one line of JSON each.

It says `{"open": subprotocol}` or `{"refused": [status, body]}`, then `{"message": text}` for each message and
`{"closed": [code, reason]}` at the end. It is told `{"send": text}`, `{"fragments": [text, ...]}`,
`{"binary": text}`, `{"raw": hex}`, `{"close": code}` or `{"abort": true}`.
"""

import asyncio
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


def say(**what):
    print(json.dumps(what), flush=True)


def signed(url, key):
    request = AWSRequest("GET", url.replace("ws", "http", 1))
    SigV4Auth(Credentials(key["id"], key["secret"], key.get("token")), "execute-api", "us-east-1").add_auth(request)
    return dict(request.headers)


async def listen(socket):
    try:
        async for message in socket:
            say(message=message)
    except ConnectionClosed:
        pass
    say(closed=[socket.close_code, socket.close_reason])


async def obey(socket):
    reading = asyncio.get_running_loop()
    while line := await reading.run_in_executor(None, sys.stdin.readline):
        ((what, how),) = json.loads(line).items()
        if what in ("send", "fragments"):
            await socket.send(how)
        elif what == "binary":
            await socket.send(how.encode())
        elif what == "raw":
            socket.transport.write(bytes.fromhex(how))
        elif what == "close":
            await socket.close(how, "that is all")
        elif what == "abort":
            socket.transport.abort()


async def main(url, options):
    headers = options.get("headers", {})
    if key := options.get("key"):
        headers |= signed(url, key)
    try:
        socket = await connect(
            url, additional_headers=headers, subprotocols=options.get("subprotocols"), proxy=None, max_size=None
        )
    except InvalidStatus as refused:
        return say(refused=[refused.response.status_code, (refused.response.body or b"").decode()])
    say(open=socket.subprotocol)
    obeying = asyncio.create_task(obey(socket))
    await listen(socket)
    obeying.cancel()


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
# A thread may wait for standard input still.
import os  # noqa: E402

os._exit(0)
