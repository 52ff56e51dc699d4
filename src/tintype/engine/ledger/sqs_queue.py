"""The shards that may be free, as messages in SQS: a hint that may come twice, late or never."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tintype.engine.ledger import aws

_KEPT_S = 14 * 86_400  # the longest that there is
_WAIT_S = 1  # without waiting, SQS asks some of its servers only, and may find nothing where there is something
_HIDDEN_AT_MOST_S = 12 * 3_600  # from when a message came out; then SQS shows it again
_MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_NOT_HIDDEN = ("InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid", *_MISSING)


@dataclass(frozen=True)
class Message:
    """A shard that may be free. `receipt` is what the message is hidden longer or deleted by."""

    run: str
    number: int
    kind: str
    receipt: str


class ShardQueue:
    """Raises botocore's errors."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs

    def make(self, name: str) -> str:
        """Make a queue; returns its address."""
        made = self._sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": str(_KEPT_S)})
        return str(made["QueueUrl"])

    def drop(self, queue: str) -> None:
        try:
            self._sqs.delete_queue(QueueUrl=queue)
        except self._sqs.exceptions.ClientError as error:
            if not aws.is_code(error, *_MISSING):
                raise

    def send(self, queue: str, run: str, shards: Iterable[tuple[int, str]]) -> None:
        """Say that shards (number and kind) may be free."""
        bodies = (json.dumps({"run": run, "number": number, "kind": kind}) for number, kind in shards)
        aws.send(self._sqs, queue, bodies)

    def receive(self, queue: str, seconds: float) -> Message | None:
        """A message, hidden from others for so long; None where there is none now, or no queue any more."""
        try:
            answer = self._sqs.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=1, VisibilityTimeout=_whole(seconds), WaitTimeSeconds=_WAIT_S
            )
        except self._sqs.exceptions.ClientError as error:
            if not aws.is_code(error, *_MISSING):
                raise
            time.sleep(_WAIT_S)  # a new run is beginning, or a queue was made a moment ago
            return None
        for message in answer.get("Messages", ()):
            body = json.loads(message["Body"])
            return Message(str(body["run"]), int(body["number"]), str(body["kind"]), message["ReceiptHandle"])
        return None

    def hide(self, queue: str, receipt: str, seconds: float) -> bool:
        """Hide a message from now on for so long, 0 to show it; False where it is not hidden any more."""
        try:
            self._sqs.change_message_visibility(
                QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=_whole(seconds)
            )
        except self._sqs.exceptions.ClientError as error:
            if not aws.is_code(error, *_NOT_HIDDEN, "AWS.SimpleQueueService.MessageNotInflight"):
                raise
            return False
        return True

    def delete(self, queue: str, receipt: str) -> None:
        try:
            self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=receipt)
        except self._sqs.exceptions.ClientError as error:
            if not aws.is_code(error, *_NOT_HIDDEN):
                raise

    def is_empty(self, queue: str) -> bool:
        """Whether SQS counts no message, shown or hidden. Its counts may lag a minute behind."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        try:
            found = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        except self._sqs.exceptions.ClientError as error:
            if not aws.is_code(error, *_MISSING):
                raise
            return False
        return not any(int(found.get(name, 0)) for name in names)


def _whole(seconds: float) -> int:
    """Whole seconds, as SQS takes them, rather too many than too few."""
    return max(0, min(_HIDDEN_AT_MOST_S, -int(-seconds // 1)))
