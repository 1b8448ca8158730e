"""Drives the local Lambda with boto3, as any program of a user might. Fails with an assertion."""

import base64
import io
import json
import os
import pathlib
import sys
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
iam = boto3.client("iam")


def archive(source):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        bundle.writestr(entry, source)
    return buffer.getvalue()


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise AssertionError(f"{call} was not refused")


def role(name, service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]


ROLE = role("function", "lambda.amazonaws.com")
SOURCE = pathlib.Path(sys.argv[1]).read_bytes()
SETTINGS = {"Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 10}


def invoke(event, name="f", **arguments):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **arguments)
    return answer, answer["Payload"].read()


# Creating.
refused("InvalidParameterValueException", client.create_function, FunctionName="f", Role=ROLE, Code={"ZipFile": b"no zip"}, **SETTINGS)
other = role("other", "ec2.amazonaws.com")
for unfit in [other, ROLE + "-that-is-not-there"]:
    answer = refused(
        "InvalidParameterValueException", client.create_function, FunctionName="f", Role=unfit, Code={"ZipFile": archive(SOURCE)}, **SETTINGS
    )
    assert answer["Error"]["Message"] == "The role defined for the function cannot be assumed by Lambda.", answer
made = client.create_function(
    FunctionName="f", Role=ROLE, Code={"ZipFile": archive(SOURCE)}, Tags={"a": "b"}, Environment={"Variables": {"MINE": "1"}}, **SETTINGS
)
assert made["State"] == "Active" and made["Version"] == "$LATEST" and made["Environment"]["Variables"] == {"MINE": "1"}, made
assert made["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:f", made
refused("ResourceConflictException", client.create_function, FunctionName="f", Role=ROLE, Code={"ZipFile": archive(SOURCE)}, **SETTINGS)
client.get_waiter("function_active_v2").wait(FunctionName="f")

# Invoking.
answer, payload = invoke({"hello": "world"}, LogType="Tail")
assert (answer["StatusCode"], answer["ExecutedVersion"], json.loads(payload)) == (200, "$LATEST", {"hello": "world"}), answer
assert "REPORT RequestId: " in base64.b64decode(answer["LogResult"]).decode(), answer
answer, payload = invoke({"$do": "throw", "TEXT": "no"}, name=made["FunctionArn"])
assert answer["FunctionError"] == "Unhandled" and json.loads(payload)["errorMessage"] == "no", payload
assert invoke({}, InvocationType="DryRun")[0]["StatusCode"] == 204
assert invoke({}, InvocationType="Event")[0]["StatusCode"] == 202
refused("ResourceNotFoundException", client.invoke, FunctionName="nobody")
refused("InvalidRequestContentException", client.invoke, FunctionName="f", Payload=b"{")
answer = refused("RequestTooLargeException", client.invoke, FunctionName="f", Payload=b'"' + b"x" * 6_291_456 + b'"')
assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413, answer
refused("RequestTooLargeException", client.invoke, FunctionName="f", InvocationType="Event", Payload=b'"' + b"x" * 1_048_576 + b'"')

# Changing.
changed = client.update_function_configuration(FunctionName="f", Timeout=5, MemorySize=256)
assert (changed["Timeout"], changed["MemorySize"], changed["Environment"]["Variables"]) == (5, 256, {"MINE": "1"}), changed
assert changed["RevisionId"] != made["RevisionId"]
environment = json.loads(invoke({"$do": "environment"})[1])["environment"]
assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256", environment
refused("InvalidParameterValueException", client.update_function_configuration, FunctionName="f", Environment={"Variables": {"AWS_REGION": "x"}})
code = client.update_function_code(FunctionName="f", ZipFile=archive(SOURCE + b"\n# changed\n"))
assert code["CodeSha256"] != made["CodeSha256"]

# Versions.
assert client.publish_version(FunctionName="f", Description="first")["Version"] == "1"
assert client.publish_version(FunctionName="f")["Version"] == "1"
client.update_function_configuration(FunctionName="f", Description="later")
assert [version["Version"] for version in client.list_versions_by_function(FunctionName="f")["Versions"]] == ["$LATEST", "1"]
answer, payload = invoke({"$do": "environment"}, Qualifier="1")
assert answer["ExecutedVersion"] == "1" and json.loads(payload)["environment"]["AWS_LAMBDA_FUNCTION_VERSION"] == "1"
refused("ResourceNotFoundException", client.invoke, FunctionName="f", Qualifier="2")

# Permissions.
refused("ResourceNotFoundException", client.get_policy, FunctionName="f")
permission = {"FunctionName": "f", "StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
client.add_permission(SourceArn="arn:aws:execute-api:us-east-1:000000000000:a/*", **permission)
refused("ResourceConflictException", client.add_permission, **permission)
[statement] = json.loads(client.get_policy(FunctionName="f")["Policy"])["Statement"]
assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}, statement
assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:us-east-1:000000000000:a/*"}}, statement
client.remove_permission(FunctionName="f", StatementId="api")
refused("ResourceNotFoundException", client.remove_permission, FunctionName="f", StatementId="api")

# Concurrency.
assert client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)["ReservedConcurrentExecutions"] == 0
answer = refused("TooManyRequestsException", client.invoke, FunctionName="f")
assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded", answer
refused("InvalidParameterValueException", client.put_function_concurrency, FunctionName="f", ReservedConcurrentExecutions=901)
client.delete_function_concurrency(FunctionName="f")
assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="f")

# Addresses.
address = client.create_function_url_config(FunctionName="f", AuthType="NONE", Cors={"AllowOrigins": ["*"]})
assert address["FunctionUrl"].startswith("http://") and address["FunctionArn"] == made["FunctionArn"], address
refused("ResourceConflictException", client.create_function_url_config, FunctionName="f", AuthType="NONE")
refused("InvalidParameterValueException", client.update_function_url_config, FunctionName="f", InvokeMode="RESPONSE_STREAM")
changed = client.update_function_url_config(FunctionName="f", AuthType="AWS_IAM")
assert changed["AuthType"] == "AWS_IAM" and changed["Cors"] == {"AllowOrigins": ["*"]}, changed
assert client.get_function_url_config(FunctionName="f")["FunctionUrl"] == address["FunctionUrl"]
[listed] = client.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"]
assert listed["FunctionUrl"] == address["FunctionUrl"], listed
client.delete_function_url_config(FunctionName="f")
refused("ResourceNotFoundException", client.get_function_url_config, FunctionName="f")
assert client.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"] == []

# Telling.
whole = client.get_function(FunctionName="f")
assert whole["Tags"] == {"a": "b"} and whole["Configuration"]["Description"] == "later", whole
client.tag_resource(Resource=made["FunctionArn"], Tags={"c": "d"})
client.untag_resource(Resource=made["FunctionArn"], TagKeys=["a"])
assert client.list_tags(Resource=made["FunctionArn"])["Tags"] == {"c": "d"}
assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 1000
for number in range(60):
    client.create_function(FunctionName=f"g{number:02}", Role=ROLE, Code={"ZipFile": archive(SOURCE)}, **SETTINGS)
pages = client.get_paginator("list_functions").paginate()
assert [function["FunctionName"] for page in pages for function in page["Functions"]] == ["f"] + [f"g{n:02}" for n in range(60)]

# Removing.
client.delete_function(FunctionName="f")
refused("ResourceNotFoundException", client.get_function, FunctionName="f")
refused("ResourceNotFoundException", client.delete_function, FunctionName="f")
