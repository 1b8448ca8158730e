"""Tables as boto3 uses them: queries, pages, conditions, batches, transactions, indexes, expiry, streams."""
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

client = boto3.client("dynamodb")
resource = boto3.resource("dynamodb")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise SystemExit(f"{call} is not refused")


created = client.create_table(
    TableName="notes",
    BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "userId", "KeyType": "HASH"}, {"AttributeName": "noteId", "KeyType": "RANGE"}],
    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("userId", "noteId")],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    Tags=[{"Key": "team", "Value": "blue"}],
)["TableDescription"]
arn = created["TableArn"]
assert arn == "arn:aws:dynamodb:us-east-1:000000000000:table/notes", arn
assert created["LatestStreamArn"].startswith(arn + "/stream/"), created
client.get_waiter("table_exists").wait(TableName="notes")
refused("ResourceInUseException", client.create_table, **{
    "TableName": "notes", "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": created["KeySchema"], "AttributeDefinitions": created["AttributeDefinitions"],
})
assert client.list_tables()["TableNames"] == ["notes"]
assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "blue"}]

notes = resource.Table("notes")
with notes.batch_writer() as batch:
    for number in range(40):
        batch.put_item({"userId": "u", "noteId": f"{number:03}", "size": number, "text": "x" * 10})
batch_get = client.batch_get_item(RequestItems={arn: {"Keys": [{"userId": {"S": "u"}, "noteId": {"S": "007"}}]}})
assert [item["size"]["N"] for items in batch_get["Responses"].values() for item in items] == ["7"], batch_get

first = notes.query(KeyConditionExpression=Key("userId").eq("u") & Key("noteId").begins_with("0"), Limit=15)
assert first["Count"] == 15 and first["LastEvaluatedKey"] == {"userId": "u", "noteId": "014"}, first
pages = client.get_paginator("query").paginate(
    TableName="notes", KeyConditionExpression="userId = :u", ExpressionAttributeValues={":u": {"S": "u"}},
    ScanIndexForward=False, PaginationConfig={"PageSize": 12},
)
sizes = [[item["size"]["N"] for item in page["Items"]] for page in pages]
assert [len(page) for page in sizes] == [12, 12, 12, 4] and sizes[0][0] == "39", sizes
assert notes.scan(FilterExpression=Attr("size").gte(38))["Count"] == 2
assert notes.query(KeyConditionExpression=Key("userId").eq("nobody"))["Items"] == []

big = Decimal("99999999999999999999999999999999999.999")
updated = notes.update_item(
    Key={"userId": "u", "noteId": "000"}, UpdateExpression="SET #s = #s + :n, tags = :t REMOVE #x",
    ExpressionAttributeNames={"#s": "size", "#x": "text"}, ExpressionAttributeValues={":n": big, ":t": {"a", "b"}},
    ReturnValues="ALL_NEW",
)["Attributes"]
assert updated["size"] == big and updated["tags"] == {"a", "b"} and "text" not in updated, updated
told = refused(
    "ConditionalCheckFailedException", notes.put_item, Item={"userId": "u", "noteId": "001"},
    ConditionExpression=Attr("noteId").not_exists(), ReturnValuesOnConditionCheckFailure="ALL_OLD",
)
assert told["Item"]["size"] == {"N": "1"}, told
refused("ValidationException", notes.put_item, Item={"userId": "u"})
refused("ResourceNotFoundException", resource.Table("gone").get_item, Key={"userId": "u"})
refused("ResourceNotFoundException", client.scan, TableName="arn:aws:dynamodb:eu-west-1:000000000000:table/notes")

move = lambda note: {"Put": {"TableName": "notes", "Item": {"userId": {"S": "v"}, "noteId": {"S": note}}}}
client.transact_write_items(TransactItems=[move("1"), move("2")], ClientRequestToken="once")
client.transact_write_items(TransactItems=[move("1"), move("2")], ClientRequestToken="once")
refused("IdempotentParameterMismatchException", client.transact_write_items, TransactItems=[move("3")], ClientRequestToken="once")
failing = {"ConditionCheck": {
    "TableName": "notes", "Key": {"userId": {"S": "v"}, "noteId": {"S": "1"}}, "ConditionExpression": "attribute_not_exists(userId)",
}}
told = refused("TransactionCanceledException", client.transact_write_items, TransactItems=[move("4"), failing])
assert [reason["Code"] for reason in told["CancellationReasons"]] == ["None", "ConditionalCheckFailed"], told
assert notes.query(KeyConditionExpression=Key("userId").eq("v"))["Count"] == 2, "nothing of it was written"
got = client.transact_get_items(TransactItems=[{"Get": {"TableName": "notes", "Key": {"userId": {"S": "v"}, "noteId": {"S": "2"}}}}])
assert got["Responses"][0]["Item"]["noteId"]["S"] == "2", got

definitions = [{"AttributeName": "noteId", "AttributeType": "S"}]
index = lambda name: {"Create": {
    "IndexName": name, "KeySchema": [{"AttributeName": "noteId", "KeyType": "HASH"}], "Projection": {"ProjectionType": "KEYS_ONLY"},
}}
refused("LimitExceededException", client.update_table, TableName="notes", AttributeDefinitions=definitions,
        GlobalSecondaryIndexUpdates=[index("one"), index("two")])
client.update_table(TableName="notes", AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[index("by-note")])
described = client.describe_table(TableName=arn)["Table"]
assert described["GlobalSecondaryIndexes"][0]["IndexArn"] == arn + "/index/by-note", described
found = notes.query(IndexName="by-note", KeyConditionExpression=Key("noteId").eq("005"))["Items"]
assert found == [{"userId": "u", "noteId": "005"}], found

client.update_time_to_live(TableName="notes", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
assert client.describe_time_to_live(TableName="notes")["TimeToLiveDescription"]["AttributeName"] == "until"
recovery = client.update_continuous_backups(
    TableName="notes", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
)["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
assert recovery["PointInTimeRecoveryStatus"] == "ENABLED" and recovery["RecoveryPeriodInDays"] == 7, recovery

streams = boto3.client("dynamodbstreams")
[stream] = streams.list_streams(TableName="notes")["Streams"]
shard = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"][0]["ShardId"]
iterator = streams.get_shard_iterator(StreamArn=stream["StreamArn"], ShardId=shard, ShardIteratorType="TRIM_HORIZON")
records = streams.get_records(ShardIterator=iterator["ShardIterator"], Limit=5)["Records"]
assert [record["eventName"] for record in records] == ["INSERT"] * 5, records

selected = client.execute_statement(Statement='SELECT * FROM "notes" WHERE userId = ? AND noteId = ?', Parameters=[{"S": "v"}, {"S": "1"}])
assert len(selected["Items"]) == 1, selected
client.update_table(TableName="notes", DeletionProtectionEnabled=True)
refused("ValidationException", client.delete_table, TableName="notes")
client.update_table(TableName="notes", DeletionProtectionEnabled=False)
client.delete_table(TableName="notes")
client.get_waiter("table_not_exists").wait(TableName="notes")
print("done")
