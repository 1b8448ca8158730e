"""What a role may do: what its policies grant, less what others deny, and nothing else."""
import json

import boto3
from botocore.exceptions import ClientError

iam, sts = boto3.client("iam"), boto3.client("sts")
account = sts.get_caller_identity()["Account"]
place = f"arn:aws:dynamodb:us-east-1:{account}:table/"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, resources, **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


trust = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account}})


def session(name, *statements, boundary=None):
    """A session of a new role that is granted these statements."""
    more = {"PermissionsBoundary": boundary} if boundary else {}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    keys = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def denied(call, action, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDeniedException", "AccessDenied"), error
        assert action in error.response["Error"]["Message"], error
        return error.response["Error"]["Message"]
    raise SystemExit(f"{call} is not denied")


root = boto3.client("dynamodb")
for name in ("notes", "other"):
    root.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("id", "kind")],
        GlobalSecondaryIndexes=[{
            "IndexName": "by-kind", "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"},
        }],
    )
    root.put_item(TableName=name, Item={"id": {"S": "1"}, "kind": {"S": "k"}})
key = {"id": {"S": "1"}}
kind = {"KeyConditionExpression": "kind = :k", "ExpressionAttributeValues": {":k": {"S": "k"}}, "IndexName": "by-kind"}

reader = session("reader", allow(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"], place + "notes")).client("dynamodb")
assert reader.get_item(TableName="notes", Key=key)["Item"]["kind"]["S"] == "k"
assert reader.get_item(TableName=place + "notes", Key=key)["Item"]["kind"]["S"] == "k"
told = denied(reader.put_item, "dynamodb:PutItem", TableName="notes", Item=key)
assert told == (
    f"User: arn:aws:sts::{account}:assumed-role/reader/session is not authorized to perform: dynamodb:PutItem on resource: "
    f"{place}notes because no identity-based policy allows the dynamodb:PutItem action"
), told
denied(reader.get_item, "dynamodb:GetItem", TableName="other", Key=key)
denied(reader.query, "table/notes/index/by-kind", TableName="notes", **kind)
denied(reader.batch_get_item, "table/other", RequestItems={name: {"Keys": [key]} for name in ("notes", "other")})
denied(reader.execute_statement, "dynamodb:PartiQLSelect", Statement='SELECT * FROM "notes"')
denied(reader.list_tables, "dynamodb:ListTables")
assert root.get_item(TableName="notes", Key=key)["Item"], "nothing was written"

indexed = session("indexed", allow(["dynamodb:Query", "dynamodb:GetItem"], place + "notes/*")).client("dynamodb")
assert indexed.query(TableName="notes", **kind)["Count"] == 1
try:
    indexed.get_item(TableName=place + "notes/index/by-kind", Key=key)
    raise SystemExit("an index stands for its table")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
denied(indexed.query, "table/notes ", TableName="notes", KeyConditionExpression="id = :i", ExpressionAttributeValues={":i": {"S": "1"}})

writer = session("writer", allow(["dynamodb:PutItem", "dynamodb:ConditionCheckItem"], place + "notes")).client("dynamodb")
put = lambda table: {"Put": {"TableName": table, "Item": {"id": {"S": "2"}}}}
check = {"ConditionCheck": {"TableName": "notes", "Key": key, "ConditionExpression": "attribute_exists(id)"}}
writer.transact_write_items(TransactItems=[put("notes"), check])
denied(writer.transact_write_items, "table/other", TransactItems=[put("notes"), put("other")])
denied(writer.transact_write_items, "dynamodb:DeleteItem", TransactItems=[{"Delete": {"TableName": "notes", "Key": key}}])

own = {"Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["1"]}}}
leading = session("leading", allow("dynamodb:*", place + "notes", **own)).client("dynamodb")
leading.get_item(TableName="notes", Key=key)
denied(leading.get_item, "dynamodb:GetItem", TableName="notes", Key={"id": {"S": "2"}})
denied(leading.scan, "dynamodb:Scan", TableName="notes")

torn = session("torn", allow("dynamodb:*", "*"), {"Effect": "Deny", "Action": "dynamodb:Delete*", "Resource": "*"}).client("dynamodb")
torn.list_tables()
assert "explicit deny in an identity-based policy" in denied(torn.delete_item, "dynamodb:DeleteItem", TableName="notes", Key=key)

bound = iam.create_policy(PolicyName="bound", PolicyDocument=document(allow("dynamodb:GetItem", "*")))["Policy"]["Arn"]
bounded = session("bounded", allow("dynamodb:*", "*"), boundary=bound).client("dynamodb")
bounded.get_item(TableName="notes", Key=key)
assert "no permissions boundary allows" in denied(bounded.put_item, "dynamodb:PutItem", TableName="notes", Item=key)

managed = iam.create_policy(PolicyName="managed", PolicyDocument=document(allow("dynamodb:Scan", "*")))["Policy"]["Arn"]
attached = session("attached", allow("sts:GetCallerIdentity", "*"))
denied(attached.client("dynamodb").scan, "dynamodb:Scan", TableName="notes")
iam.attach_role_policy(RoleName="attached", PolicyArn=managed)
attached.client("dynamodb").scan(TableName="notes")

secrets = boto3.client("secretsmanager")
token, other = (secrets.create_secret(Name=name, SecretString=name)["ARN"] for name in ("token", "other"))
holder = session("holder", allow("secretsmanager:GetSecretValue", token)).client("secretsmanager")
for secret_id in (token, "token"):
    assert holder.get_secret_value(SecretId=secret_id)["SecretString"] == "token"
denied(holder.get_secret_value, "secretsmanager:GetSecretValue", SecretId="other")
denied(holder.put_secret_value, "secretsmanager:PutSecretValue", SecretId="token", SecretString="x")
denied(holder.batch_get_secret_value, "secret:other", SecretIdList=["token", "other"])
denied(holder.list_secrets, "secretsmanager:ListSecrets")
role = f"arn:aws:iam::{account}:role/holder"
grant = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
secrets.put_resource_policy(SecretId=other, ResourcePolicy=document(grant))
assert holder.get_secret_value(SecretId="other")["SecretString"] == "other"
secrets.put_resource_policy(SecretId=other, ResourcePolicy=document({**grant, "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}))
denied(holder.get_secret_value, "secretsmanager:GetSecretValue", SecretId="other")
secrets.put_resource_policy(SecretId=token, ResourcePolicy=document({**grant, "Effect": "Deny"}))
assert "explicit deny in a resource-based policy" in denied(holder.get_secret_value, "secretsmanager", SecretId="token")

mail = boto3.client("sesv2")
mail.create_email_identity(EmailIdentity="example.com")
identity = f"arn:aws:ses:us-east-1:{account}:identity/example.com"
sender = session(
    "sender", allow("ses:SendEmail", identity, Condition={"StringEquals": {"ses:FromAddress": "me@example.com"}})
).client("sesv2")
content = {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}}
send = dict(Destination={"ToAddresses": ["you@example.com"]}, Content=content)
sender.send_email(FromEmailAddress="Me <me@example.com>", **send)
told = denied(sender.send_email, "ses:SendEmail", FromEmailAddress="other@example.com", **send)
assert told == f"User `arn:aws:sts::{account}:assumed-role/sender/session' is not authorized to perform `ses:SendEmail' on resource `{identity}'", told
raw = {**send, "Content": {"Raw": {"Data": b"Subject: s\r\n\r\nt"}}}
denied(sender.send_email, "ses:SendRawEmail", FromEmailAddress="me@example.com", **raw)

nothing = attached
denied(nothing.client("ssm").get_parameter, "ssm:GetParameter", Name="/p")
denied(nothing.client("s3").list_buckets, "s3:ListAllMyBuckets")
denied(nothing.client("logs").describe_log_groups, "logs:DescribeLogGroups")
denied(nothing.client("lambda").list_functions, "lambda:ListFunctions")
denied(nothing.client("cognito-idp").list_user_pools, "cognito-idp:ListUserPools", MaxResults=1)
denied(nothing.client("cloudformation").describe_stacks, "cloudformation:DescribeStacks")
denied(nothing.client("iam").get_role, "iam:GetRole", RoleName="reader")
denied(nothing.client("dynamodb").describe_export, "dynamodb:DescribeExport", ExportArn=place + "notes/export/01234567890123-01234567")
assert nothing.client("sts").get_caller_identity()["Arn"].endswith("assumed-role/attached/session")
print("done")
