"""What a model's column was made by is noted with it, decides what a later run takes, and is nobody's to forge."""

import dataclasses
import json
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest
from head_collections import collection_of, directions

import tintype
from tintype.codec.limits import Limits
from tintype.core.errors import MissingExtra, ModelError, UsageError
from tintype.core.expressions import Compare, Reference
from tintype.engine.origins import KEY, Origin, is_of_card, note_origins, origins, run_on, settled_work, states_of
from tintype.engine.scan_job import ScanJob
from tintype.engine.work import StageRun, Work
from tintype.models.card import Card, File, Weights
from tintype.models.card_file import built_in
from tintype.models.engines import ONNX, TORCH, Engine
from tintype.sources.folder import FolderSource
from tintype.stages import registry
from tintype.stages.descriptor import STAGE
from tintype.stages.embedding import stage
from tintype.store.lance import LanceStore
from tintype.store.memory import MemoryStore

NAME = "embed_descriptor"
ALL = Compare(Reference("status", pa.string()), "=", "ok")
ENGINES = {engine.backend: engine for engine in (ONNX, TORCH)}


def run_of(card: Card) -> StageRun:
    made = stage(card)
    return StageRun(made, made.settings(), registry.fingerprint(made, made.settings()))


def work_of(*runs: StageRun) -> Work:
    return Work(runs, Limits(), decode_state=1)


def noted(*entries: object) -> pa.Schema:
    """A table's schema whose vectors are noted to be of these."""
    text = entries[0] if len(entries) == 1 and isinstance(entries[0], str) else json.dumps(entries)
    field = stage(built_in("descriptor")).columns[0].field.with_metadata({KEY: text})
    return pa.schema([field, pa.field(f"_stage_{NAME}", pa.int32())])


def of(engine: str, state: int = 5, thumbnails: int = 0) -> dict[str, object]:
    return {"stage": NAME, "state": state, "engine": engine, "thumbnails": thumbnails}


RUN = run_of(built_in("descriptor"))
WITH_TORCH = dataclasses.replace(
    built_in("descriptor"),
    weights=(*built_in("descriptor").weights, Weights("torch", File("a.safetensors", "0" * 64), "timm:any")),
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[tintype.Collection, LanceStore]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    photos = collection_of(tmp_path / "c", directions(3))
    return photos, LanceStore.open(photos.layout.images)


def set_states(store: LanceStore, *states: int) -> None:
    schema = pa.schema([("_rowid", pa.uint64()), (RUN.state_column, pa.int32())])
    for part in store.stale(ALL, ["uri"]):
        values = [part.rows["_rowid"], pa.array(states, pa.int32())]
        store.update(part.fragment, pa.table(values, schema=schema).to_batches(), schema)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param(["no json {"], id="no JSON"),
        pytest.param(["[" * 100_000], id="too deep"),
        pytest.param(['{"state": 5}'], id="no list"),
        pytest.param([5, None, "x", []], id="no objects"),
        pytest.param([of("jax:fp32:cpu"), of("")], id="no engine"),
        pytest.param([of("onnx:fp32:cpu") | {"state": "5"}, of("onnx:fp32:cpu") | {"state": True}], id="no number"),
        pytest.param([of("onnx:fp32:cpu", 0), of("onnx:fp32:cpu", 1 << 31)], id="a number that no row can have"),
        pytest.param([of("onnx:fp32:cpu") | {"thumbnails": None}], id="no thumbnails"),
        pytest.param([of("onnx:fp32:cpu") | {"stage": "x = 1 or 1"}], id="another stage"),
    ],
)
def test_a_note_that_makes_no_sense_is_none(entries: list[object]) -> None:
    assert origins(noted(*entries), NAME) == ()
    assert settled_work(work_of(RUN), noted(*entries), "") == work_of(RUN)


def test_what_makes_sense_beside_it_holds() -> None:
    assert origins(noted(5, of("torch:fp32:cpu", 7, 3), of("x")), NAME) == (Origin(NAME, 7, TORCH, 3),)
    assert origins(noted(of("torch:fp32:cpu")), "other") == ()


@pytest.mark.parametrize(
    ("before", "backend", "after"),
    [
        pytest.param([], "", "onnx", id="the card's default"),
        pytest.param(["torch"], "", "torch", id="as it was"),
        pytest.param(["onnx", "torch"], "", "torch", id="as it was last"),
        pytest.param(["torch"], "onnx", "onnx", id="another backend"),
        pytest.param(["torch"], "onnx:fp32:cpu", "onnx", id="another engine"),
        pytest.param(["onnx"], "torch:fp32:cpu", "torch", id="the other way round"),
    ],
)
def test_a_run_takes_the_engine_of_the_column_unless_told_otherwise(
    before: list[str], backend: str, after: str
) -> None:
    if find_spec("torch") is None:
        pytest.skip("one of the engines is PyTorch")
    schema = noted(*(of(str(ENGINES[name])) for name in before))
    plain = run_of(WITH_TORCH)
    (run,) = settled_work(work_of(plain), schema, backend).stages
    assert run == run_on(plain, ENGINES[after])
    assert (run.state == plain.state) == (after == "onnx"), "the default's rows have the number that they always had"


@pytest.mark.parametrize(
    ("before", "backend", "error", "words"),
    [
        pytest.param(None, "jax", UsageError, "no engine 'jax'; there are auto", id="unknown backend"),
        pytest.param(None, "jax:fp32:cpu", UsageError, "'jax:fp32:cpu' is no engine", id="unknown engine"),
        pytest.param(None, "torch:fp32:cpu", ModelError, "no weights for the engine torch", id="no weights"),
        pytest.param(
            None, "tensorrt:fp16:cuda", MissingExtra, r"pip install 'tintype\[tensorrt\]'", id="not installed"
        ),
        pytest.param(
            "tensorrt:fp16:cuda",
            "",
            ModelError,
            rf"^{NAME} was computed by tensorrt:fp16:cuda, which cannot go on here .* Nothing was changed\..*auto$",
            id="the column's engine is not installed",
        ),
    ],
)
def test_an_engine_that_does_not_run_here_is_refused_in_one_line(
    before: str | None, backend: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        settled_work(work_of(RUN), noted(*([of(before)] if before else [])), backend)
    assert "\n" not in str(raised.value)


def test_a_worker_that_lacks_the_engine_refuses_before_any_shard(tmp_path: Path) -> None:
    elsewhere = run_on(RUN, Engine.of("tensorrt:fp16:cuda"))
    job = ScanJob(FolderSource(tmp_path), MemoryStore(pa.schema([])).writer(), work_of(elsewhere), None, tmp_path)
    with pytest.raises(MissingExtra, match="tensorrt"):
        job.begin()
    dataclasses.replace(job, work=work_of(RUN)).begin()


def test_models_that_come_with_a_stage_run_as_they_always_do() -> None:
    plain = StageRun(STAGE, STAGE.settings(), registry.fingerprint(STAGE, STAGE.settings()))
    assert (is_of_card(plain), is_of_card(RUN)) == (False, True)
    assert settled_work(work_of(plain), pa.schema([]), "torch") == work_of(plain)


def test_a_note_is_written_once_and_outdates_no_finding(store: tuple[tintype.Collection, LanceStore]) -> None:
    photos, table = store
    table.add_columns(pa.schema([RUN.stage.columns[0].field, pa.field(RUN.state_column, pa.int32())]))
    data = tintype.Collection.open(photos.place).data_version
    note_origins(photos.layout, table, [RUN])
    version = table.version
    note_origins(photos.layout, table, [RUN])
    assert table.version == version
    again = tintype.Collection.open(photos.place)
    assert (again.data_version, origins(again.schema, NAME)) == (data, (Origin(NAME, RUN.state, ONNX),))


def test_engines_that_no_row_is_of_are_forgotten(store: tuple[tintype.Collection, LanceStore]) -> None:
    photos, table = store
    torch, thumbnails = run_on(RUN, TORCH), run_on(RUN, ONNX, 9)
    note_origins(photos.layout, table, [torch])
    assert [origin.engine for origin in origins(table.schema, NAME)] == [TORCH]
    set_states(table, RUN.state, torch.state, torch.state)
    note_origins(photos.layout, table, [thumbnails, run_on(RUN, ONNX, 10)])
    assert [(origin.engine, origin.thumbnails) for origin in origins(table.schema, NAME)] == [
        (TORCH, 0), (ONNX, 9), (ONNX, 10),
    ]  # fmt: skip
    set_states(table, RUN.state, thumbnails.state, thumbnails.state)
    note_origins(photos.layout, table, [RUN])
    assert [(origin.engine, origin.thumbnails) for origin in origins(table.schema, NAME)] == [(ONNX, 9), (ONNX, 0)]
    assert states_of(table.schema, RUN) == (RUN.state, thumbnails.state)


def test_rows_of_before_there_was_a_choice_are_the_defaults(store: tuple[tintype.Collection, LanceStore]) -> None:
    photos, table = store
    table.add_columns(pa.schema([RUN.stage.columns[0].field, pa.field(RUN.state_column, pa.int32())]))
    set_states(table, RUN.state, RUN.state, RUN.state)
    note_origins(photos.layout, table, [run_on(RUN, TORCH)])
    assert [origin.engine for origin in origins(table.schema, NAME)] == [ONNX, TORCH]


def test_numbers_of_another_version_of_the_card_are_not_the_cards() -> None:
    right = run_on(RUN, Engine.of("torch:fp32:cpu"))
    schema = noted(of("torch:fp32:cpu", right.state), of("torch:fp32:cpu", right.state + 1))
    assert states_of(schema, RUN) == (RUN.state, right.state)
