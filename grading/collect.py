"""Finds what was handed in, whatever it is called, and chooses one notebook a student.

A notebook belongs to the assignment whose exercises and checks it holds most of; its file name
decides only when they do not. Of several copies the newest counts that can be read and in which
something is answered. What was chosen, and what was not, is said in a note.
"""

import dataclasses
import datetime
import hashlib
import os
import re
import stat
import unicodedata
import zipfile
from pathlib import Path

from grading.assignment import Assignment
from grading.submission import Unreadable, belongs, is_answered, read

LARGEST = 20 * 2**20  # bytes of a notebook
LARGEST_ARCHIVE = 200 * 2**20
MOST_FILES = 50  # notebooks of one student that are looked at
DEEPEST = 3  # folders below a student's own
SAME_TIME = 2.0  # seconds: what an archive rounds, or a copy of a folder takes
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".gz", ".7z", ".rar", ".xz")
NOT_THEIRS = {"__MACOSX", ".git", ".Trash", ".cache", ".config", ".jupyter", ".local", ".nbgrader"}
CHECKPOINTS = ".ipynb_checkpoints"


@dataclasses.dataclass(frozen=True)
class File:
    """A file on disk, or one in a zip archive there."""

    path: Path
    shown: str  # its name within the student's folder
    member: str = ""
    modified: float = 0.0

    def content(self) -> bytes:
        """The bytes; follows no link, waits for no pipe, reads no huge file."""
        if not self.member:
            return _bytes(self.path, LARGEST)
        try:
            with _opened(self.path, LARGEST_ARCHIVE) as file, zipfile.ZipFile(file) as archive:
                info = archive.getinfo(self.member)
                if info.flag_bits & 1:
                    raise Unreadable(f"{self.shown} has a password")
                with archive.open(info) as member:
                    content = member.read(LARGEST + 1)
        except (zipfile.BadZipFile, KeyError, NotImplementedError, OSError, RuntimeError) as error:
            raise Unreadable(f"{self.shown} cannot be unpacked ({type(error).__name__})") from None
        except Exception as error:  # zlib.error, lzma.LZMAError: each method has its own
            raise Unreadable(f"{self.shown} cannot be unpacked ({type(error).__name__})") from None
        _not_too_large(len(content), LARGEST)
        return content


def _not_too_large(size: int, most: int):
    if size > most:
        raise Unreadable(
            f"the notebook has {size / 2**20:.0f} MiB or more, and {most // 2**20} "
            "are read: clear its outputs (Edit, Clear Outputs of All Cells), hand in again"
        )


def _opened(path: Path, most: int):
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Unreadable(f"the notebook cannot be opened ({error.strerror})") from None
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode):
        os.close(number)
        raise Unreadable("the notebook is no ordinary file")
    if status.st_size > most:
        os.close(number)
        _not_too_large(status.st_size, most)
    return os.fdopen(number, "rb")


def _bytes(path: Path, most: int) -> bytes:
    with _opened(path, most) as file:
        return file.read(most + 1)


@dataclasses.dataclass(frozen=True)
class Submission:
    student: str  # as the folder is called
    key: str  # the same, safe as a file name
    file: File | None  # the notebook; None when there is none
    trouble: str = ""  # why there is none
    notes: tuple[str, ...] = ()  # why this one

    def content(self) -> bytes:
        if self.file is None:
            raise Unreadable(self.trouble)
        return self.file.content()

    @property
    def modified(self) -> str:
        """When the file was changed last, in local time, to the minute."""
        if self.file is None:
            return ""
        return datetime.datetime.fromtimestamp(self.file.modified).strftime("%Y-%m-%d %H:%M")


def safe(student: str) -> str:
    """A file name for any student id; two ids never share one.

    Names as people have them stay as they are, with their spaces and umlauts. All others get a
    digest, and so do those that look as if they had one.
    """
    composed = unicodedata.normalize("NFC", student) == student
    plain = r"[^\W_](?:[\w-]| (?! )){0,39}(?<! )"
    if composed and re.fullmatch(plain, student) and not re.search(r"-[0-9a-f]{8}$", student):
        return student
    digest = hashlib.sha256(os.fsencode(student)).hexdigest()[:8]
    base = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode()
    return (re.sub(r"[^A-Za-z0-9_-]+", "_", base)[:40].strip("_-") or "student") + f"-{digest}"


def shown(student: str) -> str:
    return os.fsencode(student).decode("utf-8", "replace")


@dataclasses.dataclass
class _Notebook:
    """One candidate: whose assignment it is, or why it cannot be read."""

    file: File
    belongs: str | None = None
    trouble: str = ""


@dataclasses.dataclass
class _Student:
    name: str
    key: str
    notebooks: list[_Notebook]
    trouble: str = ""
    remarks: list[str] = dataclasses.field(default_factory=list)  # archives that were not opened


class Collected:
    """What lies in a folder of submissions, looked at once for all assignments.

    One student for each folder in it, and for each notebook or archive that lies there loose.
    `ignored` names the other files.
    """

    def __init__(self, folder: Path, assignments: dict[str, Assignment]):
        self.assignments = assignments
        self.ignored: list[str] = []
        self.students: list[_Student] = []
        entries = []
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            if entry.name in NOT_THEIRS or entry.name == CHECKPOINTS:
                continue
            lower = entry.name.lower()
            loose = next((end for end in (".ipynb", *ARCHIVES) if lower.endswith(end)), "")
            if entry.is_symlink() or entry.is_dir():
                entries.append((entry, entry.name))
            elif loose:
                entries.append((entry, entry.name[: -len(loose)] or entry.name))
            else:
                self.ignored.append(shown(entry.name))
        taken = [name for _, name in entries]
        for entry, name in entries:
            if entry.name != name and taken.count(name) > 1:  # `late.ipynb` beside `late`
                name = entry.name
            student = _Student(name, safe(name), [])
            self._look_at(entry, student)
            hidden = entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            if student.notebooks or student.remarks or not hidden:
                self.students.append(student)
            else:
                self.ignored.append(shown(entry.name))

    def _look_at(self, entry: os.DirEntry, student: _Student):
        if entry.is_symlink():
            student.trouble = "a link was handed in, not a folder: links are not followed"
            return
        try:
            if entry.is_dir():
                files = _files(Path(entry.path), "", student.remarks)
            else:
                files = _file(entry, "", student.remarks)
        except OSError as error:
            student.trouble = f"the folder cannot be read ({error.strerror})"
            return
        if len(files) > MOST_FILES:
            student.remarks.append(
                f"{len(files)} notebooks were handed in; {MOST_FILES} were looked at"
            )
        for file in files[:MOST_FILES]:
            found = _Notebook(file)
            try:
                found.belongs = belongs(read(file.content())[0], self.assignments, _stem(file))
            except Unreadable as error:
                found.trouble = str(error)
            student.notebooks.append(found)

    def names(self) -> list[str]:
        """The assignments that somebody has handed in."""
        there = {n.belongs for s in self.students for n in s.notebooks}
        there |= {_stem(n.file) for s in self.students for n in s.notebooks if n.trouble}
        return [name for name in self.assignments if name in there]

    def submissions(self, name: str) -> list[Submission]:
        return [self._choose(student, name) for student in self.students]

    def _choose(self, student: _Student, name: str) -> Submission:
        def none(reason: str) -> Submission:
            said = "; ".join([reason, *student.remarks])
            return Submission(student.name, student.key, None, said)

        if student.trouble:
            return none(student.trouble)
        ours = [n for n in student.notebooks if n.belongs == name]
        broken = [
            n
            for n in student.notebooks
            if n.trouble and (_stem(n.file) == name or _stem(n.file) not in self.assignments)
        ]
        if not ours:
            if broken:
                said = [f"{n.file.shown}: {n.trouble}" for n in broken[:3]]
                return none(broken[0].trouble if len(student.notebooks) == 1 else "; ".join(said))
            others = [f"{n.file.shown} ({_whose(n)})" for n in student.notebooks[:3]]
            if others:
                return none(f"no notebook of {name} was handed in, but {', '.join(others)}")
            return none(f"no notebook was handed in for {name}")
        chosen = self._newest(ours, self.assignments[name])
        notes = list(student.remarks)
        if _is_checkpoint(chosen.file):
            notes.append("only an automatic copy (.ipynb_checkpoints) was handed in: it was graded")
        if len(ours) > 1:
            left = ", ".join(n.file.shown for n in ours if n is not chosen)
            notes.append(
                f"{len(ours)} copies were handed in: {chosen.file.shown} was graded, "
                f"the newest with answers; not {left}"
            )
        elif _stem(chosen.file) in self.assignments and _stem(chosen.file) != name:
            notes.append(f"{chosen.file.shown} holds {name}, and was graded as that")
        notes += [f"{n.file.shown} cannot be read: {n.trouble}" for n in broken[:3]]
        return Submission(student.name, student.key, chosen.file, "", tuple(notes))

    def _newest(self, notebooks: list[_Notebook], assignment: Assignment) -> _Notebook:
        if len(notebooks) == 1:
            return notebooks[0]
        saved = [n for n in notebooks if not _is_checkpoint(n.file)] or notebooks
        answered = [n for n in saved if is_answered(read(n.file.content())[0], assignment)] or saved
        newest = max(n.file.modified for n in answered)
        same = [n for n in answered if newest - n.file.modified <= SAME_TIME]
        return max(same, key=lambda n: (_copy_number(n.file), -_depth(n.file), n.file.shown))


def _files(folder: Path, prefix: str, remarks: list[str], depth: int = 0) -> list[File]:
    files = []
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.name in NOT_THEIRS:
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < DEEPEST:
                inner = f"{prefix}{shown(entry.name)}/"
                files += _files(Path(entry.path), inner, remarks, depth + 1)
        else:
            files += _file(entry, prefix, remarks)
    return files


def _file(entry: os.DirEntry, prefix: str, remarks: list[str]) -> list[File]:
    """The notebook that an entry is, or those in the archive that it is."""
    name, path = prefix + shown(entry.name), Path(entry.path)
    if entry.name.lower().endswith(".ipynb"):
        return [File(path, name, "", entry.stat(follow_symlinks=False).st_mtime)]
    if entry.name.lower().endswith(".zip"):
        return _in_archive(path, name, remarks)
    if entry.name.lower().endswith(ARCHIVES):
        remarks.append(f"{name} is an archive of a kind that is not opened: unpack it, or zip it")
    return []


def _in_archive(path: Path, name: str, remarks: list[str]) -> list[File]:
    files = []
    try:
        with _opened(path, LARGEST_ARCHIVE) as file, zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                parts = Path(info.filename).parts
                lower = info.filename.lower()
                if NOT_THEIRS & set(parts):
                    continue
                if lower.endswith(".ipynb"):
                    label = f"{name}/{info.filename}"
                    files.append(File(path, label, info.filename, _date(info)))
                elif lower.endswith(ARCHIVES):
                    remarks.append(f"{name} holds another archive, which is not opened: unpack it")
    except Unreadable as error:
        remarks.append(f"{name} cannot be unpacked ({error})")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        remarks.append(f"{name} cannot be unpacked ({type(error).__name__})")
    if not files and not any(remark.startswith(name) for remark in remarks):
        remarks.append(f"{name} holds no notebook")
    return files


def _date(info: zipfile.ZipInfo) -> float:
    try:
        return datetime.datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _is_checkpoint(file: File) -> bool:
    return CHECKPOINTS in file.shown.split("/")


def _stem(file: File) -> str:
    return re.sub(r"\.ipynb$", "", file.shown.rsplit("/", 1)[-1], flags=re.I)


def _copy_number(file: File) -> int:
    found = re.search(r"\((\d{1,6})\)$|-Copy(\d{1,6})$", _stem(file))
    return int(found[1] or found[2]) if found else 0


def _depth(file: File) -> int:
    return file.shown.count("/")


def _whose(notebook: _Notebook) -> str:
    if notebook.trouble:
        return notebook.trouble
    return f"that is {notebook.belongs}" if notebook.belongs else "which is none of the course's"
