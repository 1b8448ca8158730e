"""Writes items until the cloud is gone and says how many were taken, or sees that so many are there."""
import sys

import boto3
from botocore.config import Config

client = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
put = lambda number: {"Put": {"TableName": "kept", "Item": {"id": {"S": str(number)}, "half": {"S": "x" * 500}}}}
if len(sys.argv) == 1:
    client.create_table(
        TableName="kept", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    print("ready", flush=True)
    taken = 0
    try:
        while True:
            client.transact_write_items(TransactItems=[put(2 * taken), put(2 * taken + 1)])
            taken += 1
    except Exception:
        print(taken)
else:
    taken = int(sys.argv[1])
    pages = client.get_paginator("scan").paginate(TableName="kept")
    found = {int(item["id"]["S"]) for page in pages for item in page["Items"]}
    assert found >= set(range(2 * taken)), f"{taken} were taken, {len(found)} are there"
    assert len(found) % 2 == 0, "half a transaction"
    client.delete_table(TableName="kept")
    print("done")
