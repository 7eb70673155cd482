"""`glm batch run`: survey the input, send what is missing, keep what comes, say how it ended."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from glmcli.accounting import record_usage
from glmcli.api.retry import RetryPolicy
from glmcli.batching.allowance import Allowance
from glmcli.batching.answers import AnswerFile, FailureFile
from glmcli.batching.bill import Bill, Budget, prompt_tokens
from glmcli.batching.index import DiskIndex, Entry, Order, key_of, number_of
from glmcli.batching.items import Input, Item
from glmcli.batching.progress import Progress, duration
from glmcli.batching.requests import Requests, answer_line, checked, sender
from glmcli.batching.runner import GRACE_SECONDS, Manners, Outcome, Runner
from glmcli.batching.signals import Signals
from glmcli.batching.slots import Slots
from glmcli.batching.source import open_input
from glmcli.batching.survey import Survey, surveyed, write_estimate
from glmcli.config.files import FILE_MODE, make_private_folder, try_lock
from glmcli.errors import GlmError, Interrupted, ServiceError, UsageError
from glmcli.pace import Pace, folder_of_key

if TYPE_CHECKING:
    from glmcli.api.resources.chat import ChatRequest
    from glmcli.asking import ChatOptions
    from glmcli.context import AppContext
    from glmcli.events import Answer

#: From so many prompts on, somebody who writes to a pipe is told about -o.
_WORTH_KEEPING = 100
_RERUN = "run the same command again"
_NAP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asks for. `output` None means standard output, which cannot be resumed."""

    file: str
    output: str | None = None
    form: str | None = None
    template: str | None = None
    jobs: int = 4
    ordered: bool = True
    failed: str | None = None
    fail_above: float = 0.0
    budget: Budget = field(default_factory=Budget)
    resend_changed: bool = False
    estimate: bool = False


def run_batch(app: AppContext, chat: ChatOptions, options: RunOptions) -> None:
    """Carry out a batch, or what is left of it. Raises the error that it ended with."""
    with ExitStack() as stack:
        source = open_input(app, options.file, options.form, options.template, stack)
        requests = Requests(app, chat)
        bill = Bill(app, requests.model)
        _check_budget(bill, requests.model, options.budget)
        if app.options.dry_run:
            checked(sender(app).create(requests.request_for(next(iter(source)))))
        output = _place(app, options, stack)
        _check_failed(_failed_path(app, options), output, app, options)
        if options.output is not None:
            stack.enter_context(only_run(app.paths.state_dir / "batches", output, options.output))
        answers = AnswerFile(output, name=options.output or "the journal", ordered=options.ordered, known=bill.add_kept)
        stack.callback(answers.close)
        answers.load()
        order = Order()
        stack.callback(order.close)
        survey = surveyed(source, requests, answers, bill, order)
        if options.estimate:
            write_estimate(app, survey, bill, requests.model, Allowance(app).today())
            return
        _refuse_changed(survey, options)
        failures = FailureFile(_failed_path(app, options))
        failures.open()
        _LocalRun(app, options, source, requests, answers, failures, order, survey, bill).run()


# -- before anything is sent -----------------------------------------------------------


def _place(app: AppContext, options: RunOptions, stack: ExitStack) -> Path:
    """The output file; a temporary one in front of standard output."""
    if options.output is not None:
        output = _followed(app, options.output)
        if output.is_dir():
            raise UsageError(f"{options.output} is a folder", hint="name a file: -o answers.jsonl")
        if _is_same(output, app.cwd / options.file):
            raise UsageError("the answers would overwrite the questions", hint="choose another -o")
        return output
    folder = stack.enter_context(TemporaryDirectory(prefix="glm-"))
    return Path(folder) / "answers.jsonl"


def _followed(app: AppContext, name: str) -> Path:
    """The file behind a name: it is replaced in the end, and a link to it shall stay one."""
    try:
        return (app.cwd / name).resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{name} cannot be followed: {error}", hint="choose another -o") from error


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names mean one file, by a link of either kind, too."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return one.resolve() == other.resolve()


def _check_failed(failed: Path | None, output: Path, app: AppContext, options: RunOptions) -> None:
    """The failures are written anew by each run, so they must not meet what is to be kept."""
    journal = output.with_name(output.name + ".journal")
    if failed is not None and any(_is_same(failed, kept) for kept in (output, journal, app.cwd / options.file)):
        raise UsageError(f"the failures would overwrite {options.failed}", hint="choose another --failed")


@contextmanager
def only_run(folder: Path, output: Path, name: str) -> Iterator[None]:
    """Be the only run that writes this output: two would pay for everything twice."""
    make_private_folder(folder)
    digest = hashlib.sha256(str(output.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    descriptor = os.open(folder / f"{digest}.lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        if not try_lock(descriptor):
            raise UsageError(f"another `glm batch run` is writing {name}", hint="wait for it, or choose another -o")
        yield
    finally:
        os.close(descriptor)


def _check_budget(bill: Bill, model: str, budget: Budget) -> None:
    if budget.max_cost_usd is not None and not bill.has_price(model):
        raise UsageError(
            f"--max-cost cannot be kept: the price of {model} here is not known",
            hint="use --max-tokens-total; `glm models` lists the known prices",
        )


def _refuse_changed(survey: Survey, options: RunOptions) -> None:
    if survey.changed and not options.resend_changed:
        raise UsageError(
            f"{survey.changed} of the answers in {options.output} belong to other requests than the input and the "
            f"options ask for now (the first: {survey.first_changed})",
            hint="repeat the options of the earlier run, choose another -o, or pay for them anew: --resend-changed",
        )


# -- the run ---------------------------------------------------------------------------


class _LocalRun:
    """One run, from the first request to the last word on stderr."""

    def __init__(
        self,
        app: AppContext,
        options: RunOptions,
        source: Input,
        requests: Requests,
        answers: AnswerFile,
        failures: FailureFile,
        order: Order,
        survey: Survey,
        bill: Bill,
    ) -> None:
        self._app = app
        self._options = options
        self._source = source
        self._requests = requests
        self._answers = answers
        self._order = order
        self._survey = survey
        self._bill = bill
        self._kept = survey.total - survey.to_send
        self._progress = Progress(app.streams, bill, total=survey.total, done=self._kept)
        self._failures = failures
        self._reasons: Counter[str] = Counter()
        self._lengths = 0
        self._over_budget: str | None = None
        self._allowance = Allowance(app)
        self._handed_out = 0
        self._lost = DiskIndex()
        self._shown = 0

    def run(self) -> None:
        """Send what is missing. Raises Interrupted, or the error that ended the run."""
        started = time.monotonic()
        if self._kept:
            self._app.streams.note(f"glm: {self._kept:,} of {self._survey.total:,} are answered and not sent again")
        if self._options.output is None and self._survey.total >= _WORTH_KEEPING:
            self._app.streams.note("glm: without -o FILE nothing is kept: an interrupted run begins anew")
        runner = None
        with Signals() as signals:
            try:
                if self._survey.to_send:
                    self._answers.start()
                    runner = self._work_for_days(signals)
            finally:
                self._progress.clear()
                self._close()
        self._tell(time.monotonic() - started)
        self._raise(runner.stopped_by if runner is not None else None, interrupted=signals.count > 0)

    def _close(self) -> None:
        """Put in order what came, whatever ended the run; a closed pipe must not keep the rest from it."""
        try:
            self._show(to_the_end=True)
        finally:
            self._failures.close()
            self._lost.close()
            self._answers.finish(self._order)

    def _runner(self) -> Runner:
        app = self._app
        caller = sender(app)
        requests = self._requests

        def send(item: Item) -> Answer:
            return checked(caller.create(requests.request_for(item)))

        shares = app.target.provider.name != "sandbox"
        folder = folder_of_key(app.paths.state_dir, app.key().reveal()) if shares else None
        return Runner(
            send,
            Slots(folder, start=self._options.jobs, now=app.now, pace=self._pace(folder)),
            Manners(
                jobs=min(self._options.jobs, self._survey.to_send),
                retry=RetryPolicy(max_retries=app.settings.max_retries.value),
                wait_for_reset=app.options.wait,
                note=self._progress.note,
                now=app.now,
            ),
        )

    def _pace(self, folder: Path | None) -> Pace | None:
        """The rate that a router allows; None where it names none."""
        app, router = self._app, self._app.settings.router
        if router is None or router.requests_per_minute is None:
            return None
        return Pace(folder, router.requests_per_minute, now=app.now, nap=app.sleep)

    def _work_for_days(self, signals: Signals) -> Runner:
        """Send what is missing; with `--wait` also what the daily budget of a router leaves for the days after.

        Near the end of a budget several passes use it up: what is under way counts with what it may take.
        """
        allowance = self._allowance
        while True:
            allowance.refused, self._handed_out = None, 0
            runner = self._runner()
            self._work(runner, signals)
            if allowance.refused is None or runner.stopped_by is not None or signals.count:
                return runner
            if allowance.has_room():
                continue
            if not (self._app.options.wait and allowance.is_worth_waiting):
                return runner
            self._wait_for_day(signals)
            if signals.count:
                return runner

    def _wait_for_day(self, signals: Signals) -> None:
        """Sleep until the budget begins anew."""
        app, budget = self._app, self._allowance.refused
        assert budget is not None
        left = budget.resets_at - app.now()
        self._progress.note(
            f"glm: the daily budget of profile {budget.profile} is used up ({budget.used:,.0f} of {budget.limit:,} "
            f"weighted tokens); waiting {duration(left)}"
        )
        while (left := budget.resets_at - app.now()) > 0 and not signals.count:
            # Short naps: a laptop that slept must not oversleep, and Ctrl-C is heard.
            app.sleep(min(left, _NAP_SECONDS))

    def _work(self, runner: Runner, signals: Signals) -> None:
        heard = 0

        def tick() -> None:
            nonlocal heard
            while heard < signals.count:
                heard += 1
                runner.stop()
                if heard == 1 and runner.under_way:
                    self._progress.note(
                        f"glm: finishing {runner.under_way} requests that are under way, for up to "
                        f"{GRACE_SECONDS:.0f} s; once more stops at once"
                    )
            self._progress.tick(runner.under_way)

        for outcomes in runner.run(self._missing(), tick=tick):
            self._keep(outcomes)

    def _missing(self) -> Iterator[Item]:
        """The items without an answer, until the budget is used up."""
        for item in self._source:
            request = self._requests.request_for(item)
            if self._answers.request_of(item.id) == number_of(self._requests.digest(request)):
                continue
            if self._lost.get(key_of(item.id)) is not None:
                continue  # on an earlier day of this run
            if self._is_over_budget(request):
                return
            self._handed_out += 1
            yield item

    def _is_over_budget(self, request: ChatRequest) -> bool:
        """Whether this request, with those that have no answer yet, could use up more than is allowed."""
        bill, count = self._bill, self._handed_out + 1
        prompt, completion = prompt_tokens(request), self._bill.expected_completion()
        cost = bill.price(request.model, prompt=prompt, completion=completion) or 0.0
        self._over_budget = self._options.budget.exceeded(bill, count * (prompt + completion), count * cost)
        if self._over_budget is not None:
            return True
        return not self._allowance.permits(request, bill, under_way=self._handed_out)

    def _keep(self, outcomes: list[Outcome]) -> None:
        """Write what came: one write and one fsync for all that came together."""
        self._handed_out -= len(outcomes)
        lines = []
        for outcome in outcomes:
            if outcome.answer is not None:
                digest = self._requests.digest(self._requests.request_for(outcome.item))
                lines.append(answer_line(outcome.item.id, digest, outcome.answer))
        if lines:
            self._answers.append(lines)
        for outcome in outcomes:
            if outcome.answer is not None:
                self._count(outcome.item, outcome.answer)
            elif outcome.error is not None:
                self._fail(outcome, outcome.error)
        self._progress.done += len(lines)
        if self._options.output is None and not self._options.ordered:
            self._write(b"".join(line.data for line in lines))
        self._show()

    def _count(self, item: Item, answer: Answer) -> None:
        asked = self._requests.request_for(item).model
        model = answer.model or self._requests.model
        self._allowance.add(self._bill.add(model, answer.usage, asked=asked))
        self._lengths += answer.finish_reason == "length"
        record_usage(self._app, command="batch", model=model, usage=answer.usage, asked=asked)

    def _fail(self, outcome: Outcome, error: GlmError) -> None:
        reason = (error.code if isinstance(error, ServiceError) else None) or error.kind
        self._reasons[reason] += 1
        self._progress.failed += 1
        self._lost.put(key_of(outcome.item.id), Entry(0, 0, 0))
        item, hidden = outcome.item, self._app.streams.without_secrets
        # A server may quote the key, and the file may be shown to others.
        told = {name: hidden(value) if isinstance(value, str) else value for name, value in error.to_json().items()}
        self._failures.append({"id": item.id, "line": item.line, "tries": outcome.tries, **told})

    def _show(self, *, to_the_end: bool = False) -> None:
        """Pass answers on to standard output in the order of the input, as far as it is complete."""
        if self._options.output is not None or not self._options.ordered:
            return
        while self._shown < self._order.count:
            key = self._order.at(self._shown)
            data = self._answers.read(key)
            if data is None and self._lost.get(key) is None and not to_the_end:
                return
            self._shown += 1
            if data is not None:
                self._write(data)

    def _write(self, data: bytes) -> None:
        streams = self._app.streams
        if streams.stdout_is_tty:
            streams.write_harmless(data.decode())
        else:
            streams.write_bytes(data)

    # -- the end ------------------------------------------------------------------------

    def _tell(self, seconds: float) -> None:
        done, total = self._progress.done, self._survey.total
        if self._app.options.json and self._options.output is not None:
            self._app.streams.write_json(self._summary(seconds))
            return
        where = f" in {self._options.output}" if self._options.output is not None else ""
        self._app.streams.note(f"glm: {done:,} of {total:,} answered{where} ({self._bill.told()}), {duration(seconds)}")
        if self._lengths:
            self._app.streams.note(
                f"glm: {self._lengths:,} answers end early at --max-tokens (finish_reason is length)"
            )

    def _summary(self, seconds: float) -> dict[str, object]:
        bill, failed = self._bill, self._failures
        return {
            "requests": self._survey.total,
            "answered": self._progress.done,
            "failed": failed.count,
            "left": self._survey.total - self._progress.done - failed.count,
            "reasons": dict(self._reasons),
            "prompt_tokens": bill.prompt_tokens,
            "cached_tokens": bill.cached_tokens,
            "completion_tokens": bill.completion_tokens,
            "cost_usd": bill.cost_usd,
            "credits": bill.credits,
            "weighted_tokens": bill.weighted,
            "seconds": round(seconds, 3),
            "output": self._options.output,
            "failures": str(failed.path) if failed.count and failed.path else None,
        }

    def _raise(self, stopped_by: GlmError | None, *, interrupted: bool) -> None:
        done, total = self._progress.done, self._survey.total
        again = f"{_RERUN}: {done:,} of {total:,} are answered and will not be sent again"
        if self._options.output is None:
            again = "give -o FILE, so that the next run need not begin anew"
        left = total - done
        if not left:
            return
        if stopped_by is not None:
            stopped_by.message = f"stopped after {done:,} of {total:,}: {stopped_by.message}"
            wait = "; or let it wait: --wait" if _opens_again(stopped_by) else ""
            # A note, since a diagnosis may put its own hint in the place of ours.
            self._app.streams.note(f"glm: to go on, {again}{wait}")
            raise stopped_by
        if interrupted:
            raise Interrupted(f"stopped after {done:,} of {total:,}", hint=again)
        if self._over_budget is not None:
            raise GlmError(
                f"stopped at {self._over_budget}: {done:,} of {total:,} are answered, {self._bill.told()}",
                hint=f"raise the limit and {again}",
            )
        if self._allowance.refused is not None:
            raise self._allowance.error(f"{done:,} of {total:,} are answered, {self._bill.told()}", again)
        if 100 * self._failures.count / total > self._options.fail_above:
            raise self._failed()

    def _failed(self) -> GlmError:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in self._reasons.most_common(4))
        place = f"; see {self._failures.path.name}" if self._failures.path is not None else ""
        first = self._reasons.most_common(1)[0][0]
        explained = f"; glm explain {first} says more" if first.isdigit() else ""
        return GlmError(
            f"{self._failures.count:,} of {self._survey.total:,} failed ({reasons}){place}",
            hint=f"{_RERUN} to try them once more{explained}",
        )


def _opens_again(error: GlmError) -> bool:
    return isinstance(error, ServiceError) and error.reset_at is not None


def _failed_path(app: AppContext, options: RunOptions) -> Path | None:
    if options.failed is not None:
        return app.cwd / options.failed
    if options.output is None:
        return None
    output = app.cwd / options.output
    return output.with_name(output.name + ".failed.jsonl")
