"""Messages: who may send them, and what is sent."""
import json
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError

client = boto3.client("sesv2")
link = sys.argv[1] if len(sys.argv) > 1 else None
body = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "text"}, "Html": {"Data": "<b>text</b>"}}}}


def send(sender, **more):
    arguments = {"FromEmailAddress": sender, "Destination": {"ToAddresses": ["reader@example.com"]}, "Content": body, **more}
    return client.send_email(**arguments)["MessageId"]


def refused(code, call, *positional, **arguments):
    try:
        call(*positional, **arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise SystemExit(f"{call} is not refused")


if link is None:
    made = client.create_email_identity(EmailIdentity="sender@example.com")
    assert made == {**made, "IdentityType": "EMAIL_ADDRESS", "VerifiedForSendingStatus": False}, made
    refused("AlreadyExistsException", client.create_email_identity, EmailIdentity="sender@example.com")
    refused("MessageRejected", send, "sender@example.com")
    assert client.create_email_identity(EmailIdentity="example.org")["VerifiedForSendingStatus"] is True
else:
    assert urllib.request.urlopen(link, timeout=15).status == 200
    assert client.get_email_identity(EmailIdentity="sender@example.com")["VerifiedForSendingStatus"] is True
    assert send("Sender <sender@example.com>")
    assert send("anybody@example.org", Content={"Raw": {"Data": b"Subject: Raw\r\n\r\nraw text"}})
    client.create_email_template(TemplateName="greeting", TemplateContent={"Subject": "Hi {{name}}", "Text": "{{text}}"})
    template = {"Template": {"TemplateName": "greeting", "TemplateData": json.dumps({"name": "Ann", "text": "filled"})}}
    assert send("sender@example.com", Content=template)
    refused("BadRequestException", send, "sender@example.com", Destination={"ToAddresses": ["a@b.example\r\nBcc: c@d.example"]})
    refused("NotFoundException", send, "sender@example.com", ConfigurationSetName="gone")
    first = client.list_email_identities(PageSize=1)
    rest = client.list_email_identities(NextToken=first["NextToken"])
    names = [one["IdentityName"] for page in (first, rest) for one in page["EmailIdentities"]]
    assert "NextToken" not in rest, rest
    assert names == ["example.org", "sender@example.com"], names
    client.delete_email_identity(EmailIdentity="sender@example.com")
    refused("NotFoundException", client.get_email_identity, EmailIdentity="sender@example.com")
    refused("MessageRejected", send, "sender@example.com")
print("done")
