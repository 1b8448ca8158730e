#!/usr/bin/env python3
"""A function that does what the script beside its journal says, and writes every event down."""
import http.client
import json
import os
import time

PLACE = os.environ["CASE_JOURNAL"]
API = os.environ["AWS_LAMBDA_RUNTIME_API"]


def decision(event, script):
    """What an authorizer answers."""
    sources = event.get("identitySource") or []
    first = (sources if isinstance(sources, list) else sources.split(","))[:1]
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    allowed = True
    if script.get("only") is not None:
        allowed = first == [script["only"]]
    if script.get("needs_token"):
        allowed = "authorization" in headers
    if script.get("never"):
        allowed = False
    answer = {"context": script["context"]} if "context" in script else {}
    if script["simple"]:
        return {"isAuthorized": allowed, **answer}
    arn = event.get("routeArn") or event.get("methodArn")
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if allowed else "Deny",
        "Resource": arn if script.get("narrow") else "*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "caller", "policyDocument": policy, **answer}


class Failure(Exception):
    """What a function fails with."""


def verdict(event, script):
    """What an authorizer of a REST API answers: yes to `allow`, and to whoever presents no token at all."""
    query = event.get("queryStringParameters") or {}
    token = event.get("authorizationToken", query.get("authorization"))
    if script.get("fails"):
        raise Failure("Unauthorized" if token == "unauthorized" else "it fails on purpose")
    allowed = script.get("always") or token in (None, "allow")
    arn = event["methodArn"]
    if script.get("only"):
        arn = "/".join(arn.split("/")[:2] + [script["only"]])
    answer = {"usageIdentifierKey": script["key"]} if "key" in script else {}
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow" if allowed else "Deny", "Resource": arn}
    return {"principalId": "user", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}, **answer}


def result(event, script):
    """The bytes that stand for a result."""
    do = script["do"]
    if do == "raw":
        return script["value"].encode()
    if do == "throw":
        raise Failure(script.get("message", "it fails on purpose"))
    if do == "verdict":
        return json.dumps(verdict(event, script)).encode()
    if do == "sleep":
        time.sleep(script["seconds"])
        value = {"statusCode": 200, "body": "late"}
    elif do == "return":
        value = script["value"]
    elif do == "authorize":
        value = decision(event, script)
    else:
        value = {"statusCode": 200, "body": json.dumps(event)}
    return json.dumps(value).encode()


connection = http.client.HTTPConnection(API)
while True:
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    response = connection.getresponse()
    body = response.read()
    invocation = "/2018-06-01/runtime/invocation/" + response.getheader("Lambda-Runtime-Aws-Request-Id")
    with open(PLACE + ".events", "ab") as journal:
        journal.write(body.replace(b"\n", b" ") + b"\n")
    try:
        with open(PLACE + ".json", "rb") as file:
            answer = result(json.loads(body), json.load(file))
        connection.request("POST", invocation + "/response", answer)
    except Failure as failure:
        failure = json.dumps({"errorType": "Error", "errorMessage": str(failure), "stackTrace": []})
        connection.request("POST", invocation + "/error", failure, {"Content-Type": "application/json"})
    connection.getresponse().read()
