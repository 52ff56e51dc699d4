"""Where embedding is killed: a folder with its SQLite ledger, or a bucket with one in DynamoDB and SQS."""

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from embed_slowly import SHARD_IMAGES
from embedding import files_of

from aws_server import environment

HERE = Path(__file__).parent
IMAGES = 160
SHARDS = IMAGES // SHARD_IMAGES


class World(ABC):
    """`expected` are the files of an undisturbed run."""

    lease_s: float
    look_every_s = 0.01
    root: str
    expected: Mapping[str, bytes]

    @property
    def environ(self) -> Mapping[str, str]:
        return {}

    @abstractmethod
    def output(self, name: str) -> str: ...

    @abstractmethod
    def ledger(self, output: str) -> str: ...

    @abstractmethod
    def files(self, output: str) -> dict[str, bytes]:
        """All files that must not depend on how the work was done, and whatever does not belong there."""

    @abstractmethod
    def listings(self, output: str) -> list[str]: ...

    @abstractmethod
    def done(self, output: str) -> int:
        """How many shards have their files by now."""

    def start(self, output: str, *, plans: bool) -> "subprocess.Popen[str]":
        paths = os.pathsep.join([str(HERE), str(HERE.parent / "engine")])
        environ = {**os.environ, **self.environ, "PYTHONPATH": paths}
        words = [output, self.ledger(output), str(self.lease_s), *([self.root] if plans else [])]
        return subprocess.Popen(
            [sys.executable, str(HERE / "embed_slowly.py"), *words],
            env={name: value for name, value in environ.items() if value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class Folder(World):
    lease_s = 1.0

    def __init__(self, place: Path, root: Path) -> None:
        self.place, self.root = place, str(root)

    def output(self, name: str) -> str:
        return str(self.place / name)

    def ledger(self, output: str) -> str:
        return "sqlite"

    def files(self, output: str) -> dict[str, bytes]:
        return files_of(Path(output))

    def listings(self, output: str) -> list[str]:
        return [str(path.relative_to(output)) for path in Path(output, "plan").rglob("*") if path.is_file()]

    def done(self, output: str) -> int:
        return len(list(Path(output).glob("*.parquet")))


class Bucket(World):
    """The pictures lie there too: processes share nothing else."""

    lease_s = 4.0  # whoever looks for work asks SQS for a second at a time
    look_every_s = 0.1

    def __init__(self, address: str, bucket: str, root: Path) -> None:
        self.address, self.bucket, self.root = address, bucket, f"s3://{bucket}/root/"
        self.client.create_bucket(Bucket=bucket)
        for path in root.rglob("*"):
            if path.is_file():
                self.client.upload_file(str(path), bucket, f"root/{path.relative_to(root)}")

    @property
    def environ(self) -> Mapping[str, str]:
        return environment(self.address)

    @cached_property
    def client(self) -> Any:
        import boto3

        known = self.environ
        return boto3.client(
            "s3",
            endpoint_url=self.address,
            region_name=known["AWS_REGION"],
            aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
        )

    def output(self, name: str) -> str:
        return f"s3://{self.bucket}/{name}/"

    def ledger(self, output: str) -> str:
        return f"dynamodb:{self.bucket}-{output.split('/')[3]}"

    def files(self, output: str) -> dict[str, bytes]:
        client = self.client
        kept = [name for name in self._names(output) if not name.startswith(("plan.json", "plan/"))]
        return {
            name: client.get_object(Bucket=self.bucket, Key=self._key(output, name))["Body"].read() for name in kept
        }

    def listings(self, output: str) -> list[str]:
        return [name for name in self._names(output) if name.startswith("plan/")]

    def done(self, output: str) -> int:
        return sum(name.endswith(".parquet") for name in self._names(output))

    def _names(self, output: str) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self._key(output, ""))
        return sorted(one["Key"].removeprefix(self._key(output, "")) for one in found.get("Contents", []))

    def _key(self, output: str, name: str) -> str:
        return f"{output.split('/')[3]}/{name}"
