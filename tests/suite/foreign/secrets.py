"""A secret from its making to its end."""
import boto3
from botocore.exceptions import ClientError

client = boto3.client("secretsmanager")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response["Error"]["Message"]
    raise SystemExit(f"{call} is not refused")


made = client.create_secret(Name="app/token", SecretString="first", Description="a token", Tags=[{"Key": "team", "Value": "blue"}])
arn = made["ARN"]
assert arn.startswith("arn:aws:secretsmanager:us-east-1:000000000000:secret:app/token-"), arn
for secret_id in ["app/token", arn, arn[:-7]]:
    assert client.get_secret_value(SecretId=secret_id)["SecretString"] == "first", secret_id
refused("ResourceExistsException", client.create_secret, Name="app/token", SecretString="x")

second = client.put_secret_value(SecretId=arn, SecretString="second", ClientRequestToken="0" * 32)
assert second["VersionId"] == "0" * 32 and second["VersionStages"] == ["AWSCURRENT"], second
client.put_secret_value(SecretId=arn, SecretString="second", ClientRequestToken="0" * 32)
refused("ResourceExistsException", client.put_secret_value, SecretId=arn, SecretString="other", ClientRequestToken="0" * 32)
assert client.get_secret_value(SecretId=arn)["SecretString"] == "second"
assert client.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"] == "first"
assert client.get_secret_value(SecretId=arn, VersionId=made["VersionId"])["SecretString"] == "first"
refused("ResourceNotFoundException", client.get_secret_value, SecretId=arn, VersionStage="AWSPENDING")
client.update_secret_version_stage(
    SecretId=arn, VersionStage="AWSCURRENT", RemoveFromVersionId="0" * 32, MoveToVersionId=made["VersionId"]
)
assert client.get_secret_value(SecretId=arn)["SecretString"] == "first"

client.update_secret(SecretId=arn, Description="another", SecretBinary=b"\x00\xff")
held = client.get_secret_value(SecretId=arn)
assert held["SecretBinary"] == b"\x00\xff" and "SecretString" not in held, held
described = client.describe_secret(SecretId=arn)
assert described["Description"] == "another" and described["Tags"] == [{"Key": "team", "Value": "blue"}], described
assert len(described["VersionIdsToStages"]) == 2, described
assert {version["VersionId"] for version in client.list_secret_version_ids(SecretId=arn)["Versions"]} == set(described["VersionIdsToStages"])
client.tag_resource(SecretId=arn, Tags=[{"Key": "more", "Value": "1"}])
client.untag_resource(SecretId=arn, TagKeys=["team"])
assert client.describe_secret(SecretId=arn)["Tags"] == [{"Key": "more", "Value": "1"}]

policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:DeleteSecret","Resource":"*"}]}'
client.put_resource_policy(SecretId=arn, ResourcePolicy=policy)
assert "Deny" in client.get_resource_policy(SecretId=arn)["ResourcePolicy"]
refused("MalformedPolicyDocumentException", client.put_resource_policy, SecretId=arn, ResourcePolicy="{}")
client.delete_resource_policy(SecretId=arn)

for number in range(5):
    client.create_secret(Name=f"list/{number}")
names = [one["Name"] for page in client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2}) for one in page["SecretList"]]
assert names == ["app/token", *(f"list/{number}" for number in range(5))], names
assert len(client.list_secrets(Filters=[{"Key": "name", "Values": ["list/"]}])["SecretList"]) == 5
batch = client.batch_get_secret_value(SecretIdList=["app/token", "list/0", "gone"])
assert len(batch["SecretValues"]) == 1 and len(batch["Errors"]) == 2, batch

password = client.get_random_password(PasswordLength=64, ExcludePunctuation=True)["RandomPassword"]
assert len(password) == 64 and password.isalnum(), password

refused("InvalidParameterException", client.delete_secret, SecretId=arn, RecoveryWindowInDays=3)
deleted = client.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
assert deleted["DeletionDate"] is not None
assert "marked for deletion" in refused("InvalidRequestException", client.get_secret_value, SecretId=arn)
refused("InvalidRequestException", client.create_secret, Name="app/token")
client.restore_secret(SecretId=arn)
client.get_secret_value(SecretId=arn)
client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
refused("ResourceNotFoundException", client.describe_secret, SecretId=arn)
assert client.create_secret(Name="app/token")["ARN"] != arn
print("done")
