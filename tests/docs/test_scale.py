"""The figures that docs/scale.md adds up are those that were measured, and what it starts can be started."""

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
import yaml
from benchmarks.scale_page import figure, filled
from pages import DOCS, REPOSITORY, blocks

from fault_proxy import FaultProxy
from tintype import api
from tintype.cli.embed import work
from tintype.testing.pictures import fill_folder

PAGE = DOCS / "scale.md"


def test_what_is_called_measured_stands_in_the_results() -> None:
    """Where it does not: python -m benchmarks.scale_page."""
    page, results = PAGE.read_text(), (REPOSITORY / "benchmarks" / "RESULTS.md").read_text()
    assert page == filled(page, results)
    measured = figure(results, "embed_workers", "an image more, CPU")
    other = filled(page, results.replace(f"| an image more, CPU | {measured} ms", "| an image more, CPU | 20 ms"))
    assert '"image_ms": 20,' in other
    assert re.search(r"^working, hours .*$", other, re.M)[0] != re.search(r"^working, hours .*$", page, re.M)[0]


def test_a_shard_costs_the_requests_that_the_table_says(
    bucket: str, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of outputs with 2 and with 12 shards, the difference: what a run costs as a whole is left out."""
    pytest.importorskip("obstore", reason="comes with the extra cloud")
    monkeypatch.setattr("tintype.engine.ledger.sqs_queue._WAIT_S", 0)
    seen: Counter[str] = Counter()

    def note(method: str, path: str) -> None:
        path, _, target = path.rpartition(" ")
        service, _, action = target.partition(".")
        name = {"DynamoDB_20120810": "DynamoDB", "AmazonSQS": "SQS"}.get(service)
        seen[f"{name} {action}" if name else f"S3 {'LIST' if 'list-type' in path else method}"] += 1

    proxy.choose = note
    counted = []
    for images in (2, 12):
        fill_folder(tmp_path / str(images), images)
        seen.clear()
        output, ledger = f"s3://{bucket}/{images}", f"dynamodb:{bucket}-{images}"
        api.embed_to(output, tmp_path / str(images), model="descriptor", shard_images=1, workers=1, ledger=ledger)
        counted.append(Counter(seen))
    few, many = counted
    measured = {name: (many[name] - few[name]) / 10 for name in many}
    table = dict(re.findall(r"^\| ((?:S3|DynamoDB|SQS) \w+) \| (\d+) \|$", PAGE.read_text(), re.M))
    in_batches = {name for name, count in measured.items() if round(count) == 0}
    assert {name: round(count) for name, count in measured.items() if name not in in_batches} == {
        name: int(count) for name, count in table.items()
    }
    assert in_batches >= {"DynamoDB BatchWriteItem", "SQS SendMessageBatch", "S3 LIST"}


def test_what_schedulers_are_given_are_commands_that_there_are() -> None:
    (manifest,) = [yaml.safe_load(block.text) for block in blocks(PAGE) if block.language == "yaml"]
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    (script,) = [block.text for block in blocks(PAGE) if "#SBATCH" in block.text]
    started = shlex.split(next(line for line in script.splitlines() if line.startswith("srun ")))[1:]
    for program, verb, *words in (container["command"], started):
        assert (program, verb) == ("tintype", "work")
        found = work.make_context("work", list(words)).params
        assert found["place"] == "s3://bucket/vectors-00"
        assert found["workers"] > 1
        assert found["quiet"]
