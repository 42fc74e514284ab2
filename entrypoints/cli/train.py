"""`llama-mapper train`: fine-tune an adapter here, in the foreground."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.shared_options import taking

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.labels import KnownLabel
    from llama_mapper.domain.mapping.training.ports import TrainedModel, TrainingOrder
    from llama_mapper.domain.mapping.training.spec import TrainingTask
    from llama_mapper.entrypoints.settings import Settings

app = typer.Typer(help="Fine-tune the models behind mapping and analysis.")

BaseModel = Annotated[
    Path | None,
    typer.Option(help="A local model folder or GGUF file, or a name of training_base_models. Nothing is downloaded."),
]
Out = Annotated[Path | None, typer.Option(help="The run's folder; default: training/local/TASK in the data directory.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run that was begun in the folder, as it was.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Examples that go through the model at once.")]
Accumulation = Annotated[int, typer.Option(min=1, help="Batches a step.")]
LearningRate = Annotated[float, typer.Option(help="At the end of the warm-up.")]
Rank = Annotated[int, typer.Option(min=1, help="Rank of the adapter's matrices.")]
MaxTokens = Annotated[int, typer.Option(min=16, help="Longer examples are left out.")]
Every = Annotated[int, typer.Option(min=1, help="Steps between two evaluations, and between two checkpoints.")]
Patience = Annotated[int, typer.Option(min=0, help="Evaluations without a gain until training ends; 0: never.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the data set and of training.")]
TestLimit = Annotated[int, typer.Option(min=0, help="Questions of the test split to ask at the end.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Reviewed = Annotated[
    Path | None, typer.Option(help="JSON Lines of vendor, label, canonical: labels that reviewers decided.")
]
HoldOut = Annotated[list[str] | None, typer.Option(help="A vendor to ask about only; may be repeated.")]
Exclude = Annotated[list[str] | None, typer.Option(help="A vendor to leave out altogether; may be repeated.")]


@app.callback()
def _group() -> None:
    """The commands about training."""


def _hyperparameters(
    steps: Steps = 300,
    batch_size: BatchSize = 4,
    accumulation: Accumulation = 2,
    learning_rate: LearningRate = 3e-4,
    rank: Rank = 8,
    max_tokens: MaxTokens = 512,
    every: Every = 25,
    patience: Patience = 4,
    seed: Seed = 0,
    test_limit: TestLimit = 200,
) -> dict[str, Any]:
    """The options that every model is trained with."""
    return {
        "steps": steps,
        "batch_size": batch_size,
        "accumulation": accumulation,
        "learning_rate": learning_rate,
        "rank": rank,
        "alpha": 2 * rank,
        "max_tokens": max_tokens,
        "evaluate_every": every,
        "save_every": every,
        "patience": patience,
        "seed": seed,
        "test_limit": test_limit,
    }


@app.command()
@taking("hyperparameters", _hyperparameters)
def mapper(
    base_model: BaseModel = None,
    out: Out = None,
    resume: Resume = False,
    *,
    hyperparameters: dict[str, Any],
    hold_out: HoldOut = None,
    exclude: Exclude = None,
    reviewed: Reviewed = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Train the model that says what a vendor label means, evaluate it, and register the adapter."""
    from llama_mapper.domain.mapping.training.spec import TrainingTask

    recipe = {
        "seed": hyperparameters["seed"],
        "hold_out": tuple(hold_out or ()),
        "exclude": tuple(exclude or ()),
    }
    _run(TrainingTask.MAPPER, base_model, hyperparameters, recipe, reviewed, out, resume, data_dir, as_json)


@app.command()
@taking("hyperparameters", _hyperparameters, test_limit=50)
def analyst(
    base_model: BaseModel = None,
    out: Out = None,
    resume: Resume = False,
    *,
    hyperparameters: dict[str, Any],
    examples: Annotated[int, typer.Option(min=20, help="Examples to make, over all splits.")] = 1_200,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Train the model that explains an analysis, evaluate it, and register the adapter."""
    from llama_mapper.domain.mapping.training.spec import TrainingTask

    recipe = {"seed": hyperparameters["seed"], "examples": examples}
    _run(TrainingTask.ANALYST, base_model, hyperparameters, recipe, None, out, resume, data_dir, as_json)


def _run(
    task: TrainingTask,
    base_model: Path | None,
    hyperparameters: dict[str, Any],
    recipe: dict[str, Any],
    reviewed: Path | None,
    out: Path | None,
    resume: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    from llama_mapper.domain.kernel.errors import ConfigurationError, ValidationError
    from llama_mapper.domain.kernel.tenancy import LOCAL_TENANT
    from llama_mapper.domain.mapping.training.dataset import Recipe
    from llama_mapper.domain.mapping.training.ports import TrainingKey, TrainingOrder
    from llama_mapper.domain.mapping.training.spec import hyperparameters_from
    from llama_mapper.entrypoints.containers.training import begun_run, canonical_labels
    from llama_mapper.entrypoints.settings import Settings

    settings = Settings.load(data_dir=data_dir)
    folder = (out or settings.data_dir / "training" / LOCAL_TENANT / task.value).absolute()
    begun = begun_run(folder)
    if begun is None and resume:
        raise ValidationError(f"there is no run to go on with in {folder}")
    if begun is not None and not resume:
        raise ValidationError(f"{folder} has a run; go on with --resume, or name another folder with --out")
    if begun is not None and begun.task is not task:
        raise ValidationError(f"the run in {folder} trains the {begun.task.value}")
    try:
        order = TrainingOrder(
            key=TrainingKey(LOCAL_TENANT, _run_id(folder)),
            task=task,
            base_model=Path(begun.base_model) if begun else _base_model(settings, base_model),
            hyperparameters=begun.hyperparameters if begun else hyperparameters_from(hyperparameters),
            recipe=Recipe(**recipe),
            reviewed=_reviewed_labels(reviewed, canonical_labels()) if reviewed else (),
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    trained, reference = asyncio.run(_carried_out(settings, order, folder))
    _print(trained, reference, folder, as_json)


async def _carried_out(settings: Settings, order: TrainingOrder, folder: Path) -> tuple[TrainedModel, str]:
    from llama_mapper.entrypoints.cli.progress import training_progress
    from llama_mapper.entrypoints.containers.training import train_here

    stop = asyncio.Event()
    # Ctrl-C asks for a checkpoint; the trainer, in a process group of its own, does not see the key.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with training_progress() as tell:
        return await train_here(settings, order, folder, tell, stop)


def _base_model(settings: Settings, named: Path | None) -> Path:
    from llama_mapper.domain.kernel.errors import ConfigurationError

    known = settings.training_base_models
    if named is None:
        if len(known) == 1:
            return next(iter(known.values()))
        raise ConfigurationError("name a base model with --base-model: a local folder or GGUF file")
    if named.exists():
        return named
    if str(named) in known:
        return known[str(named)]
    raise ConfigurationError(f"there is no base model at {named}; nothing is downloaded")


def _reviewed_labels(file: Path, canonicals: frozenset[str]) -> tuple[KnownLabel, ...]:
    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.domain.mapping.training.overlay import read_reviewed

    try:
        with file.open(encoding="utf-8") as lines:
            return read_reviewed(lines, canonicals)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read ({type(error).__name__})") from error


def _run_id(folder: Path) -> str:
    """The same for the same folder, so that a run that is gone on with is registered once."""
    from hashlib import sha256

    return f"train_{sha256(str(folder).encode()).hexdigest()[:26]}"


def _print(trained: TrainedModel, reference: str, folder: Path, as_json: bool) -> None:
    import json

    from llama_mapper.entrypoints.cli.printing import print_table

    if as_json:
        answer = {
            "model": reference,
            "task": trained.task.value,
            "folder": str(folder),
            "steps": trained.steps,
            "metrics": dict(trained.metrics),
            "data_digest": trained.data_digest,
        }
        typer.echo(json.dumps(answer))
        return
    metrics = trained.metrics
    names = [name for name in metrics if not name.startswith("base_")]
    rows = [(name, _figure(metrics[name]), _figure(metrics.get(f"base_{name}"))) for name in names]
    print_table(("on the test split", "adapter", "base model"), rows)
    typer.echo(f"registered as {reference}; data card, metrics, loss plot and checkpoints are in {folder}")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
