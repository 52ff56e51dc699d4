"""What DynamoDB and SQS ask of their callers: clients, batches whose rest is sent again, errors in one line."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tintype.core.errors import CollectionError, MissingExtra
from tintype.core.names import shown

ATTEMPTS = 8
"""Of each request. Between them botocore waits for random parts of 1, 2, 4, 8, 16, 20 and 20 s: half a minute or so."""
_WRITTEN_AT_ONCE = 25  # these three are limits of the services
_READ_AT_ONCE = 100
_SENT_AT_ONCE = 10
_ROUNDS = 10

Item = Mapping[str, Any]
T = TypeVar("T")

_BUSY = (
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "TransactionInProgressException",
)


def clients(name: str) -> tuple[Any, Any]:
    """DynamoDB and SQS, where and as whom the AWS_* variables and the files in ~/.aws say. Raises MissingExtra."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise MissingExtra("A ledger in DynamoDB", "aws") from None
    patient = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, connect_timeout=5, read_timeout=30)
    region = os.environ.get("AWS_REGION") or None  # boto3 alone only looks at AWS_DEFAULT_REGION
    with errors_are_said(name):
        session = boto3.Session(region_name=region)
        return session.client("dynamodb", config=patient), session.client("sqs", config=patient)


@contextlib.contextmanager
def errors_are_said(name: str) -> Iterator[None]:
    """Turn what botocore raises into CollectionError with one line."""
    import botocore.exceptions as problems

    try:
        yield
    except problems.ClientError as error:
        found, how = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        reason = f"{found.get('Code', 'error')}: {_line(found.get('Message', ''))}".rstrip(": ")
        advice = "See what the credentials in AWS_* may do, and that region and name are right"
        if found.get("Code") in _BUSY or how.get("HTTPStatusCode", 0) >= 500:
            reason += f", {how.get('RetryAttempts', 0) + 1} times"
            advice = "What was finished is kept: later the same command goes on where this one stopped"
        raise _unusable(name, reason, advice) from error
    except (problems.NoCredentialsError, problems.PartialCredentialsError, problems.CredentialRetrievalError):
        raise _unusable(
            name, "no credentials", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ) from None
    except problems.NoRegionError:
        raise _unusable(name, "no region", "Set AWS_REGION") from None
    except (problems.BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise _unusable(name, _line(str(error)), "See whether AWS_ENDPOINT_URL and the network are right") from error


def write(dynamo: Any, table: str, items: Iterable[Item]) -> None:
    """Put items, 25 at a time."""
    for part in _parts(items, _WRITTEN_AT_ONCE):
        left: Any = {table: [{"PutRequest": {"Item": item}} for item in part]}
        for _ in _rounds("items were not taken"):
            left = dynamo.batch_write_item(RequestItems=left).get("UnprocessedItems")
            if not left:
                break


def read(dynamo: Any, table: str, keys: Iterable[Item], names: Sequence[str] = ()) -> list[Item]:
    """The items of these keys that there are, in any order; `names` are the attributes wanted, by default all."""
    found: list[Item] = []
    for part in _parts(keys, _READ_AT_ONCE):
        wanted: dict[str, Any] = {"Keys": part, "ConsistentRead": True}
        if names:
            wanted["ProjectionExpression"] = ", ".join(f"#n{number}" for number in range(len(names)))
            wanted["ExpressionAttributeNames"] = {f"#n{number}": name for number, name in enumerate(names)}
        left: Any = {table: wanted}
        for _ in _rounds("items were not read"):
            answer = dynamo.batch_get_item(RequestItems=left)
            found += answer["Responses"].get(table, [])
            left = answer.get("UnprocessedKeys")
            if not left:
                break
    return found


def send(sqs: Any, queue: str, bodies: Iterable[str]) -> None:
    """Send messages, ten at a time."""
    for part in _parts(bodies, _SENT_AT_ONCE):
        left = {str(number): body for number, body in enumerate(part)}
        for _ in _rounds("messages were not taken"):
            entries = [{"Id": number, "MessageBody": body} for number, body in left.items()]
            failed = sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed", [])
            left = {one["Id"]: left[one["Id"]] for one in failed}
            if not left:
                break


def is_code(error: Exception, *codes: str) -> bool:
    """Whether a ClientError is one of these."""
    return getattr(error, "response", {}).get("Error", {}).get("Code") in codes


def _rounds(problem: str) -> Iterator[int]:
    """Tries with growing waits between them; whoever is still not done after the last one gets a CollectionError."""
    for number in range(_ROUNDS):
        yield number
        time.sleep(random.uniform(0.5, 1) * min(5.0, 0.05 * 2**number))  # noqa: S311  only spreads the load
    raise CollectionError(f"DynamoDB or SQS is overloaded: {problem} in {_ROUNDS} tries. Nothing is lost; try again")


def _parts(things: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting: list[T] = []
    for thing in things:
        waiting.append(thing)
        if len(waiting) == size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _unusable(name: str, reason: str, advice: str) -> CollectionError:
    return CollectionError(f"the ledger {shown(name)} in DynamoDB cannot be used: {reason}. {advice}")


def _line(text: str) -> str:
    return shown(text.partition("\n")[0])[:300].rstrip(". ")
