#!/usr/bin/env python3
"""AWS's own SDK at `@connections`: one call, whose outcome is printed as JSON."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, call, connection, data = sys.argv[1:5]
once = Config(retries={"max_attempts": 0})
client = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint, config=once)
calls = {
    "post": lambda: client.post_to_connection(ConnectionId=connection, Data=data.encode()),
    "large": lambda: client.post_to_connection(ConnectionId=connection, Data=b"x" * int(data)),
    "get": lambda: client.get_connection(ConnectionId=connection),
    "delete": lambda: client.delete_connection(ConnectionId=connection),
}
try:
    outcome = calls[call]()
except ClientError as error:
    outcome = error.response
    outcome["error"] = error.response["Error"]
metadata = outcome.pop("ResponseMetadata")
print(json.dumps({"status": metadata["HTTPStatusCode"], **outcome}, default=lambda value: value.isoformat()))
