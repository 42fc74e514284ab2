"""One run of LoRA training with torch: steps, validation, checkpoints, and the evaluation at the end."""

from __future__ import annotations

import json
import math
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

from llama_mapper.adapters.mapping.training.checkpoints import Checkpoint, CheckpointFolder
from llama_mapper.adapters.mapping.training.durable_files import publish_folder, write_file
from llama_mapper.adapters.mapping.training.lora_evaluation import (
    AnswerTree,
    GreedyDecoder,
    canonical_scores,
    spread,
    structured_scores,
)
from llama_mapper.adapters.mapping.training.lora_examples import (
    ChatExample,
    EncodedExample,
    batch_of,
    encode,
    encode_answer,
    encode_prompt,
    padding_of,
    read_examples,
)
from llama_mapper.adapters.mapping.training.lora_model import adapter_files, load_base, put_adapter, with_adapter
from llama_mapper.adapters.mapping.training.run_state import MetricsFile, Progress, pack_state, unpack_state
from llama_mapper.adapters.mapping.training.trainer_events import EventWriter, TrainerEvent
from llama_mapper.domain.mapping.training.spec import TrainingSpec, TrainingTask

_WEIGHTS = "adapter_model.safetensors"
_STATE = "trainer_state.pt"
_ANSWER_MARGIN = 32


class RunError(Exception):
    """The run's folder does not hold what it must; the message says what, for people."""


class DivergedError(Exception):
    """The loss is no number any more."""


class LoraRun:
    """A run, loaded and at the step of its newest whole checkpoint."""

    def __init__(self, folder: Path, spec: TrainingSpec, events: EventWriter) -> None:
        self._folder, self._spec, self._events = folder, spec, events
        self._hyper = hyper = spec.hyperparameters
        self._checkpoints = CheckpointFolder(folder / "checkpoints")
        self._metrics = MetricsFile(folder / "metrics.jsonl")
        self._progress = Progress()
        begun = self._begun()
        events.tell(TrainerEvent.LOADING)
        import torch
        from transformers.utils import logging

        logging.disable_progress_bar()
        random.seed(hyper.seed)
        torch.manual_seed(hyper.seed)
        adapted = with_adapter(load_base(spec.base_model, hyper), hyper)
        self._model, self._tokenizer, self._device = adapted.model, adapted.tokenizer, adapted.device
        self._half = adapted.autocast
        self._padding = padding_of(self._tokenizer)
        self._train, left_out = self._encoded("train")
        if not self._train:
            raise RunError("the training split has no example that fits max_tokens")
        self._validation = list(spread(self._encoded("validation")[0], hyper.validation_limit))
        trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        self._trained = trained
        self._optimizer = torch.optim.AdamW(trained, lr=hyper.learning_rate, weight_decay=hyper.weight_decay)
        self._scheduler = torch.optim.lr_scheduler.LambdaLR(self._optimizer, hyper.rate_share)
        self._resume(begun)
        events.tell(
            TrainerEvent.READY,
            step=self.step,
            steps=hyper.steps,
            trainable=sum(parameter.numel() for parameter in trained),
            parameters=sum(parameter.numel() for parameter in self._model.parameters()),
            left_out=left_out,
            device=self._device,
            precision="bfloat16" if self._half else "float32",
            quantized=adapted.quantized,
        )

    @property
    def step(self) -> int:
        """Steps done."""
        return self._progress.step

    @property
    def best_step(self) -> int | None:
        """The step with the lowest validation loss; None without a validation split."""
        return self._progress.best_step

    def train(self, asked_to_stop: Callable[[], bool]) -> bool:
        """Do the steps that are left; False if it was asked to stop before the last, at a checkpoint then."""
        hyper, progress = self._hyper, self._progress
        while progress.step < hyper.steps and not progress.ended_early:
            if asked_to_stop():
                if progress.step and progress.step not in self._checkpoints.steps():
                    self._save()
                return False
            self._one_step()
            last = progress.step == hyper.steps
            if self._validation and (last or progress.step % hyper.evaluate_every == 0):
                self._validate()
                self._save()
            elif last or progress.step % hyper.save_every == 0:
                self._save()
        return True

    def finish(self) -> None:
        """Take the best weights, publish the adapter, and compare it with the base model on the test split."""
        best = self._progress.best_step
        if best is not None and best != self.step:
            put_adapter(self._model, (self._checkpoints.path_of(best) / _WEIGHTS).read_bytes())
        self._model.eval()
        examples = (
            list(spread(read_examples(self._split("test")), self._hyper.test_limit)) if self._hyper.test_limit else []
        )
        total = 2 * len(examples)
        adapted = self._evaluated(examples, 0, total)
        with self._model.disable_adapter():
            base = self._evaluated(examples, len(examples), total)
        facts = {"spec_digest": self._spec.digest, "step": best if best is not None else self.step}
        evaluation = {"adapter": adapted, "base": base, "validation_loss": self._progress.best_loss, **facts}
        publish_folder(self._folder / "adapter", adapter_files(self._model), facts)
        write_file(self._folder / "evaluation.json", json.dumps(evaluation, indent=1, sort_keys=True).encode())

    def _begun(self) -> Checkpoint | None:
        """The checkpoint to go on from."""
        checkpoint, ignored = self._checkpoints.newest()
        for each in ignored:
            self._events.tell(TrainerEvent.IGNORED, name=each.name, reason=each.reason)
        if checkpoint is not None and checkpoint.facts.get("spec_digest") != self._spec.digest:
            raise RunError("the checkpoints belong to another base model, data set or set of hyperparameters")
        return checkpoint

    def _resume(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            self._metrics.cut_after(0)
            return
        facts = {name: value for name, value in checkpoint.facts.items() if name != "spec_digest"}
        self._progress = Progress(**facts)  # type: ignore[arg-type]  # verified by digest, written by `facts`
        put_adapter(self._model, (checkpoint.path / _WEIGHTS).read_bytes())
        seen = unpack_state((checkpoint.path / _STATE).read_bytes(), self._optimizer, self._scheduler)
        if seen != checkpoint.step * self._hyper.examples_a_step:
            raise RunError("the checkpoint's data position is not that of its step")
        self._metrics.cut_after(checkpoint.step)

    def _save(self) -> None:
        progress = self._progress
        state = pack_state(self._optimizer, self._scheduler, progress.step * self._hyper.examples_a_step)
        facts = {**progress.facts(), "spec_digest": self._spec.digest}
        self._checkpoints.save(progress.step, {**adapter_files(self._model), _STATE: state}, facts)
        self._checkpoints.prune(self._hyper.keep_checkpoints, progress.best_step)
        self._events.tell(TrainerEvent.CHECKPOINT, step=progress.step)

    def _one_step(self) -> None:
        import torch

        hyper, began = self._hyper, perf_counter()
        self._model.train()
        batches = list(self._batches(self.step))
        answered = sum(len(example.answer) for batch in batches for example in batch)
        total, tokens = 0.0, 0
        for batch in batches:
            loss, size = self._loss(batch)
            (loss / answered).backward()
            total += float(loss.detach())
            tokens += size
        if not math.isfinite(total):
            raise DivergedError(f"the loss of step {self.step + 1} is not finite; lower the learning rate")
        torch.nn.utils.clip_grad_norm_(self._trained, hyper.max_gradient_norm)
        rate = self._scheduler.get_last_lr()[0]
        self._optimizer.step()
        self._scheduler.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._progress.step += 1
        figures = {
            "step": self.step,
            "loss": total / answered,
            "learning_rate": rate,
            "tokens_per_s": round(tokens / (perf_counter() - began), 1),
            "memory_bytes": _memory_bytes(),
        }
        self._metrics.add(**figures)
        self._events.tell(TrainerEvent.STEP, steps=hyper.steps, **figures)

    def _batches(self, step: int) -> Iterator[list[EncodedExample]]:
        """The step's share of an endless row of shuffled passes over the data; its place follows from the step."""
        hyper = self._hyper
        place = step * hyper.examples_a_step
        for _ in range(hyper.accumulation):
            yield [self._train[self._order(number)] for number in range(place, place + hyper.batch_size)]
            place += hyper.batch_size

    def _order(self, number: int) -> int:
        epoch, place = divmod(number, len(self._train))
        if self._shuffled[0] != epoch:
            order = list(range(len(self._train)))
            random.Random(f"{self._hyper.seed}:{epoch}").shuffle(order)  # noqa: S311  # not a secret
            self._shuffled = (epoch, order)
        return self._shuffled[1][place]

    _shuffled: tuple[int, list[int]] = (-1, [])

    def _loss(self, batch: list[EncodedExample]) -> tuple[Any, int]:
        """Summed cross entropy over the answers' tokens, and how many tokens went through the model."""
        import torch

        ids, mask, labels = (part.to(self._device) for part in batch_of(batch, self._padding))
        with self._autocast():
            # Answers are at the end: the head is computed for their positions alone.
            kept = max(len(example) for example in batch) - min(len(example.prompt) for example in batch) + 1
            logits = self._model(input_ids=ids, attention_mask=mask, logits_to_keep=kept).logits
        targets = labels[:, -(kept - 1) :]
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), targets.flatten(), reduction="sum"
        )
        return loss, int(mask.sum())

    def _validate(self) -> None:
        import torch

        self._model.eval()
        total, answered = 0.0, 0
        size = self._hyper.batch_size
        with torch.no_grad():
            for start in range(0, len(self._validation), size):
                batch = self._validation[start : start + size]
                total += float(self._loss(batch)[0])
                answered += sum(len(example.answer) for example in batch)
        loss = total / answered
        if not math.isfinite(loss):
            raise DivergedError(f"the validation loss at step {self.step} is not finite; lower the learning rate")
        best = self._progress.judge(loss, self._hyper.minimum_gain, self._hyper.patience)
        self._metrics.add(step=self.step, validation_loss=loss)
        self._events.tell(TrainerEvent.VALIDATION, step=self.step, loss=loss, best=best)

    def _evaluated(self, examples: list[ChatExample], before: int, total: int) -> dict[str, float]:
        decoder = GreedyDecoder(self._model, self._tokenizer, self._device)
        chosen: list[tuple[str | None, str | None]] = []
        written: list[tuple[str, str]] = []
        with self._autocast():
            for number, example in enumerate(examples):
                prompt = encode_prompt(self._tokenizer, example.system, example.user)
                if example.choices:
                    tree = AnswerTree.of(
                        {each: encode_answer(self._tokenizer, example, each) for each in example.choices}
                    )
                    answered = decoder.choose(prompt, tree).text
                    chosen.append((example.choices[example.answer], example.choices[answered]))
                else:
                    limit = len(encode_answer(self._tokenizer, example, example.answer)) + _ANSWER_MARGIN
                    written.append((example.answer, decoder.write(prompt, limit).text))
                self._events.tell(TrainerEvent.EVALUATING, done=before + number + 1, total=total)
        return canonical_scores(chosen) if self._spec.task is TrainingTask.MAPPER else structured_scores(written)

    def _encoded(self, split: str) -> tuple[list[EncodedExample], int]:
        try:
            examples = [encode(self._tokenizer, example) for example in read_examples(self._split(split))]
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"the {split} split cannot be used ({type(error).__name__}: {error})") from error
        fitting = [example for example in examples if len(example) <= self._hyper.max_tokens]
        return fitting, len(examples) - len(fitting)

    def _split(self, split: str) -> Path:
        return self._folder / "data" / f"{split}.jsonl"

    def _autocast(self) -> AbstractContextManager[object]:
        import torch

        return torch.autocast(self._device, torch.bfloat16) if self._half else nullcontext()


def _memory_bytes() -> int:
    """The most that was held so far: of the GPU's memory where there is one, else resident."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
