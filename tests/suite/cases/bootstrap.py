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


def result(event, script):
    """The bytes that stand for a result, or None for a failure."""
    do = script["do"]
    if do == "raw":
        return script["value"].encode()
    if do == "throw":
        return None
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
    with open(PLACE + ".json", "rb") as file:
        answer = result(json.loads(body), json.load(file))
    if answer is None:
        failure = json.dumps({"errorType": "Error", "errorMessage": "it fails on purpose", "stackTrace": []})
        connection.request("POST", invocation + "/error", failure, {"Content-Type": "application/json"})
    else:
        connection.request("POST", invocation + "/response", answer)
    connection.getresponse().read()
