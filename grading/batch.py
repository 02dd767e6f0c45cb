"""A whole class: every submission once, on all cores, resumable, with a file of marks at the end.

`to` becomes a folder for the teacher alone: `gradebook.db` and nbgrader's folders,
`marks/NAME.csv`, `feedback/STUDENT/`, and `state/`, where each finished submission leaves one small
file. A submission is done again only when it, the assignment or the grader has changed.
"""

import collections
import concurrent.futures
import csv
import dataclasses
import fcntl
import hashlib
import io
import json
import multiprocessing
import os
import re
import sys
import tempfile
import unicodedata
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tqdm import tqdm

from grading import assignment as assignments
from grading.assignment import Assignment
from grading.collect import Collected, Submission, shown
from grading.examine import Examiner, Result
from grading.isolation import PROTECTIONS, die_with_parent
from grading.limits import Limits, spare
from grading.submission import Unreadable

_examiner: Examiner | None = None


class Refused(Exception):
    """The message says what is wrong with the call."""


@dataclasses.dataclass(frozen=True)
class Job:
    submission: Submission
    assignment: str
    source: Path
    release: Path
    result: Path  # where the outcome is kept


# In the worker processes


def _begin(limits: Limits):
    global _examiner
    die_with_parent()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    import torch

    torch.set_num_threads(1)
    _examiner = Examiner(limits)  # starts the warm parent, which must not inherit the next line
    spare(4096)


def _ready() -> list[str]:
    """Starts one student process; returns the protections that it runs under."""
    _examiner.zygote.start(_examiner.limits).end()
    return sorted(_examiner.zygote.protections)


def _examine(job: Job):
    """Leaves the outcome in `job.result`."""
    assignment = Assignment.load(job.assignment, job.source, job.release)
    try:
        result = _examiner.examine(job.submission.content(), assignment)
    except Unreadable as error:
        result = Result.nothing(assignment, str(error))
    result.notes = [*job.submission.notes, *result.notes]
    if job.submission.file is not None:
        result.graded = job.submission.file.shown
        result.modified = job.submission.modified
    if result.notebook is not None:
        from grading.feedback import tame

        tame(result.notebook)
    write(job.result, json.dumps(dataclasses.asdict(result)))


def _result(job: Job) -> Result:
    return Result(**json.loads(job.result.read_text(encoding="utf-8")))


def _feedback(job: Job, grades: dict, path: Path):
    from grading.feedback import page

    assignment = Assignment.load(job.assignment, job.source, job.release)
    result = _result(job)
    write(path, page(assignment, result, grades, shown(job.submission.student)))


# In the driver


def write(path: Path, text: str):
    """All of it or nothing, whenever the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, delete=False, newline="", encoding="utf-8"
    ) as file:
        file.write(text)
    os.replace(file.name, path)


def folder_of_marks(submitted: Path, to: Path | None = None) -> Path:
    """Beside the submissions, but never in the course's repository: marks stay private."""
    if to:
        return Path(to).expanduser().resolve()
    submitted = Path(submitted).expanduser().resolve()
    beside = submitted.with_name(submitted.name + "-graded")
    if beside.is_relative_to(assignments.ROOT):
        return Path.home() / "cvcourse-marks" / beside.name
    return beside


def grade(
    submitted: Path,
    to: Path | None = None,
    only: str | None = None,
    *,
    workers: int | None = None,
    limits: Limits | None = None,
    source: Path = assignments.SOURCE,
    release: Path = assignments.RELEASE,
) -> list[Path]:
    """Grade every assignment that is found in `submitted`. Returns the files of marks."""
    submitted = Path(submitted).expanduser().resolve()
    if not submitted.is_dir():
        raise Refused(f"there is no folder {submitted}")
    to = folder_of_marks(submitted, to)
    if to == submitted or to.is_relative_to(submitted) or submitted.is_relative_to(to):
        raise Refused("marks cannot lie in the folder of submissions, nor the other way round")
    known = assignments.names(source)
    if only and only not in known:
        raise Refused(f"there is no assignment {only}; there are {', '.join(known)}")
    collected = Collected(submitted, {n: Assignment.load(n, source, release) for n in known})
    if collected.ignored:
        print(
            "not looked at, because neither a student's folder, a notebook nor an archive: "
            + ", ".join(collected.ignored[:10]),
            file=sys.stderr,
        )
    chosen = [only] if only else collected.names()
    if not chosen:
        raise Refused(
            f"no notebook in {submitted} holds an assignment; is it the right folder? "
            "If all are broken, name it:  "
            "make grade SUBMITTED=folder ASSIGNMENT=01_classification_to_regression"
        )
    to.mkdir(parents=True, exist_ok=True)
    to.chmod(0o700)
    with open(to / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(f"{to} is being graded already") from None
        run = _Class(to, workers or os.cpu_count() or 1, limits or Limits(), source, release)
        return [run.assignment(collected, name) for name in chosen]


class _Class:
    def __init__(self, to: Path, workers: int, limits: Limits, source: Path, release: Path):
        from grading.marks import Course

        self.to, self.workers, self.limits = to, workers, limits
        self.source, self.release = Path(source), Path(release)
        self.course = Course(to)
        self.course.configure()
        self.told = False

    def assignment(self, collected: Collected, name: str) -> Path:
        self.name = name
        self.current = collected.assignments[name]
        self.version = self.current.version
        marker = self.to / "state" / name / ".version"
        if not marker.exists() or marker.read_text(encoding="utf-8") != self.version:
            try:
                self.course.add(name, self.source)
            except RuntimeError as error:
                if "Cannot add or remove cells" not in str(error):
                    raise
                raise Refused(
                    f"{name} has other cells than when {self.to} was begun, and the gradebook "
                    "cannot change that: grade into a new folder (TO=...)"
                ) from None
            write(marker, self.version)
        submissions = collected.submissions(name)
        jobs, again = [], []
        for submission in submissions:
            state = self.state(submission)
            if state.get("digest") != self.digest(submission):
                jobs.append(self.job(submission))
            elif state.get("marks") != self.fingerprint(submission):  # marked by hand since
                again.append(submission)
        done = len(submissions) - len(jobs) - len(again)
        if done:
            print(f"{name}: {done} of {len(submissions)} are graded already", file=sys.stderr)
        try:
            self.work(jobs, again)
        finally:
            path = self.write_marks(submissions)
        return path

    def job(self, submission: Submission) -> Job:
        result = self.to / "results" / self.name / f"{submission.key}.json"
        return Job(submission, self.name, self.source, self.release, result)

    # What is known of a submission

    def digest(self, submission: Submission) -> str:
        file = submission.file and submission.file.shown
        told = (self.version, self.limits, submission.notes, file)
        digest = hashlib.sha256(repr(told).encode())
        try:
            digest.update(submission.content())
        except Unreadable as error:
            digest.update(str(error).encode())
        return digest.hexdigest()

    def state_path(self, submission: Submission) -> Path:
        return self.to / "state" / self.name / f"{submission.key}.json"

    def state(self, submission: Submission) -> dict:
        try:
            return json.loads(self.state_path(submission).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def fingerprint(self, submission: Submission) -> list:
        grades = self.course.grades(self.current, submission.key)
        return [[name, *grade.values()] for name, grade in sorted(grades.items())]

    # The work

    def work(self, jobs: list[Job], again: list[Submission]):
        if not jobs and not again:
            return
        bar = tqdm(total=len(jobs) + len(again), desc=self.name, unit="notebook", smoothing=0.05)
        with bar:
            for submission in again:  # marked by hand since: nothing runs
                self.put_right(submission)
                _feedback(*self.page(submission))
                self.finish(submission)
                bar.update()
            left = self._round(jobs, min(self.workers, len(jobs)), bar) if jobs else []
            for job in left:  # a worker died; which submission did it? One at a time, to know
                if self._round([job], 1, bar):
                    reason = "the grader itself failed at this submission: grade it by hand"
                    result = Result.nothing(self.current, reason)
                    write(job.result, json.dumps(dataclasses.asdict(result)))
                    self.record(job)
                    _feedback(*self.page(job.submission))
                    self.finish(job.submission, trouble=True)
                    bar.update()

    def put_right(self, submission: Submission):
        """Marks of checks come from here: a gradebook that says otherwise is corrected."""
        job = self.job(submission)
        got = self.course.differences(self.current, submission.key, _result(job))
        if got:
            print(
                f"{shown(submission.student)}: the gradebook held other marks than the checks gave "
                f"({', '.join(got)}): put right",
                file=sys.stderr,
            )
            self.record(job)

    def page(self, submission: Submission) -> tuple[Job, dict, Path]:
        grades = self.course.grades(self.current, submission.key)
        path = self.to / "feedback" / submission.key / self.name / f"{self.name}.html"
        return self.job(submission), grades, path

    def _round(self, jobs: list[Job], workers: int, bar) -> list[Job]:
        """Returns the jobs that were not finished because a worker process died."""
        context = multiprocessing.get_context("spawn")
        unfinished = {job.submission.key: job for job in jobs}
        pool = concurrent.futures.ProcessPoolExecutor(workers, context, _begin, (self.limits,))
        try:
            if not self.told:
                self.tell(pool.submit(_ready).result())
            queue, waiting = collections.deque(jobs), {}
            writing = {}
            while queue or waiting or writing:
                while queue and len(waiting) < 2 * workers:  # or feedback would come after all else
                    job = queue.popleft()
                    waiting[pool.submit(_examine, job)] = job
                finished, _ = concurrent.futures.wait(
                    waiting | writing, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in finished:
                    if future in waiting:
                        job = waiting.pop(future)
                        try:
                            future.result()
                            self.record(job)
                        except BrokenProcessPool:
                            raise
                        except Exception as error:
                            self._failed(job, error)
                        writing[self._write_feedback(pool, job.submission)] = job.submission
                    else:
                        submission = writing.pop(future)
                        self._finish(submission, future)
                        unfinished.pop(submission.key, None)
                        bar.update()
        except BrokenProcessPool:
            if not self.told:
                raise Refused("no student process can be started on this machine") from None
            return list(unfinished.values())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return []

    def _write_feedback(self, pool, submission: Submission):
        return pool.submit(_feedback, *self.page(submission))

    def _finish(self, submission: Submission, future):
        try:
            future.result()
        except BrokenProcessPool:
            raise
        except Exception as error:  # the marks are there; the next call tries the feedback again
            print(f"{shown(submission.student)}: no feedback: {error}", file=sys.stderr)
        else:
            self.finish(submission)

    def _failed(self, job: Job, error: Exception):
        """Our own mistake at one submission must not cost the class its marks."""
        print(f"{shown(job.submission.student)}: {type(error).__name__}: {error}", file=sys.stderr)
        kind = type(error).__name__
        reason = f"the grader itself failed at this submission ({kind}): grade it by hand"
        write(job.result, json.dumps(dataclasses.asdict(Result.nothing(self.current, reason))))
        self.record(job)

    def record(self, job: Job):
        self.course.record(self.current, job.submission.key, _result(job))

    def finish(self, submission: Submission, trouble: bool = False):
        digest = "" if trouble else self.digest(submission)
        state = {"digest": digest, "marks": self.fingerprint(submission)}
        write(self.state_path(submission), json.dumps(state))

    def tell(self, protections: list[str]):
        """Once: which walls stand around student code on this machine."""
        self.told = True
        missing = [text for name, text in PROTECTIONS.items() if name not in protections]
        if missing:
            tqdm.write(
                "WARNING: this machine cannot give student code " + "; nor ".join(missing)
                + ". Read 'What the sandbox protects against' in assignments/README.md first.",
                file=sys.stderr,
            )  # fmt: skip
        else:
            words = "; ".join(PROTECTIONS.values())
            tqdm.write(f"Student code runs with {words}.", file=sys.stderr)

    # The marks

    def write_marks(self, submissions: list[Submission]) -> Path:
        from grading.marks import earned

        columns = [*self.current.checks, *self.current.written]
        points = self.current.checks | self.current.written
        rows = []
        for submission in sorted(submissions, key=lambda s: _alphabetical(s.student)):
            row = {"student": shown(submission.student), "out_of": _number(sum(points.values()))}
            job = self.job(submission)
            if job.result.exists():  # else not reached before an interruption: an empty row
                result = _result(job)
                grades = self.course.grades(self.current, submission.key)
                marks = earned(self.current, result, grades)
                failed = [name for name, passed in result.passed.items() if not passed]
                said = [*result.notes, *(f"{n}: {text}" for n, text in result.messages.items())]
                said += [f"{n}: changed by hand" for n, mark in marks.items() if mark["by_hand"]]
                row |= {name: _number(marks[name]["score"] or 0) for name in columns}
                row |= {
                    "marks": _number(sum(mark["score"] or 0 for mark in marks.values())),
                    "to_mark_by_hand": " ".join(n for n in columns if marks[n]["waits"]),
                    "failed_checks": " ".join(failed),
                    "messages": " | ".join(" ".join(text.split())[:300] for text in said),
                    "graded": submission.file.shown if submission.file else "",
                    "saved": submission.modified,
                    "feedback": f"feedback/{submission.key}/{self.name}/{self.name}.html",
                    "seconds": result.seconds,
                }
            rows.append({name: _plain(value) for name, value in row.items()})
        head = ["student", "marks", "out_of", "to_mark_by_hand", "failed_checks", *columns]
        head += ["messages", "graded", "saved", "feedback", "seconds"]
        table = io.StringIO()
        writer = csv.DictWriter(table, head, restval="")
        writer.writeheader()
        writer.writerows(rows)
        path = self.to / "marks" / f"{self.name}.csv"
        write(path, "\ufeff" + table.getvalue())  # spreadsheets know UTF-8 by this mark alone
        return path


def _number(value: float) -> str:
    return f"{value:g}"


def _alphabetical(student: str) -> tuple[str, str]:
    """As a list of people is sorted: Ä beside A, capital beside small, 10 after 9."""
    plain = unicodedata.normalize("NFKD", shown(student)).casefold()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"\d+", lambda n: n[0].zfill(12), plain), student


def _plain(value):
    """Text that no spreadsheet takes for a formula, whichever sign it divides columns by."""
    if not isinstance(value, str):
        return value
    return re.sub(r"(^|[;\t\r\n])(\s*[\"']*\s*)([=+\-@＝＋－＠])", r"\1\2'\3", value)
