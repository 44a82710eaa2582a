"""A real session over a tree of the model: the program in the container reports at each start what it read."""

import os
import time
from pathlib import Path

from tests.harness import Up
from tests.watch.model import Model

PROGRAM = r"""
$| = 1;
sub entry {
    my ($path, $kind, $text) = @_;
    print join(" ", "E", $$, unpack("H*", $path), $kind, length($text), unpack("H*", substr($text, -32))), "\n";
}
sub slurp { my ($file) = @_; binmode $file; local $/; my $text = <$file>; return $text // ""; }
sub walk {
    my ($folder) = @_;
    opendir(my $handle, $folder eq "" ? "." : $folder) or return;
    for my $name (readdir $handle) {
        next if $name eq "." or $name eq ".." or $name eq ".git";
        my $path = $folder eq "" ? $name : "$folder/$name";
        if (-l $path) { entry($path, "l", readlink($path) // ""); }
        elsif (-d $path) { walk($path); }
        elsif (open(my $file, "<", $path)) { entry($path, "f", slurp($file)); }
    }
}
print "BEGIN $$\n"; walk(""); print "END $$\n"; sleep 1 while 1;
"""
Tree = dict[str, tuple[str, int, bytes]]  # by path: what it is, how long, and its last bytes


def project(folder: Path, name: str, top: list[str]) -> Model:
    """A model whose tree is a devmount project."""
    model = Model(folder, top)
    (model.root / "report.pl").write_text(PROGRAM)
    patterns = ", ".join(f"'{pattern}'" for pattern in top)
    (model.root / ".devmount.toml").write_text(
        f'name = "{name}"\n[app]\nimage = "debian:bookworm-slim"\ncommand = "perl report.pl"\nstop_timeout = "1s"\n'
        f"[watch]\nignore = [{patterns}]\n"
    )
    model.begin()
    return model


class Reports:
    """The trees that the program of a session has reported."""

    def __init__(self, up: Up) -> None:
        self._up = up
        self._place = 0
        self._now: Tree = {}
        self.last: Tree | None = None
        self.count = 0

    def read(self) -> None:
        """Take in what has come."""
        mark = self._up.mark()
        for row in self._up.events[self._place : mark]:
            if row["event"] == "log" and row.get("service") == "app":
                self._line(row["line"])
        self._place = mark

    def _line(self, line: str) -> None:
        words = line.split(" ")
        if words[0] == "BEGIN":
            self._now = {}
        elif words[0] == "E":
            path = os.fsdecode(bytes.fromhex(words[2]))
            self._now[path] = (words[3], int(words[4]), bytes.fromhex(words[5]))
        elif words[0] == "END":
            self.last, self._now = self._now, {}
            self.count += 1


def on_disk(model: Model) -> Tree:
    """The files that count, as they are."""
    tree: Tree = {}
    for path in model.counting():
        full = model.root / path
        if full.is_symlink():
            kind, content = "l", os.fsencode(os.readlink(full))
        else:
            kind, content = "f", full.read_bytes()
        tree[path] = (kind, len(content), content[-32:])
    return tree


def differences(model: Model, reported: Tree | None) -> set[str]:
    """The paths that count and are not in the program as they are on disk, or are in it and are gone."""
    disk = on_disk(model)
    reported = reported or {}
    ignore = model.rules()
    gone = {path for path in reported.keys() - disk.keys() if not os.path.lexists(model.root / path)}
    differing = {path for path in disk if reported.get(path) != disk[path]}
    return differing | {path for path in gone if not ignore.matches(path, False)}


def wait_until_equal(model: Model, reports: Reports, timeout: float) -> set[str]:
    """Wait until the program has the tree that is on disk; what still differs after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        reports.read()
        left = differences(model, reports.last)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)
