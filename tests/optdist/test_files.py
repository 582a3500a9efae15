import fcntl
import os
import socket

import pytest
from holding import held

from optdist.errors import BusyError, ConfigError
from optdist.files import locked


def test_a_folder_that_another_process_works_on_is_refused_and_says_who_has_it(tmp_path):
    folder = tmp_path / "new" / "run"
    with held(folder) as process:
        with pytest.raises(BusyError) as error, locked(folder):
            pass
        text = str(error.value)
        assert f"({socket.gethostname()}, process {process.pid}, since 20" in text
        assert f"is working on {folder}. Wait until" in text
    with locked(folder), locked(tmp_path / "new" / "other"):
        assert f"process {os.getpid()}," in (tmp_path / "new" / ".run.lock").read_text()
    assert list(folder.parent.iterdir()) == []


def test_a_killed_process_leaves_no_lock(tmp_path):
    with held(tmp_path / "run") as process:
        process.kill()
        process.wait()
        assert (tmp_path / ".run.lock").exists()
        with locked(tmp_path / "run"):
            pass


def test_a_lock_file_removed_between_opening_and_locking_is_not_taken_for_the_lock(
    tmp_path, monkeypatch
):
    file, real, calls = tmp_path / ".run.lock", fcntl.flock, []

    def flock(descriptor, how):
        if not calls:
            file.unlink()  # as its holder does when it ends
        calls.append(how)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(tmp_path / "run"):
        assert len(calls) == 2 and f"process {os.getpid()}," in file.read_text()
        with pytest.raises(BusyError), locked(tmp_path / "run"):
            pass


def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(RuntimeWarning, match="not start two jobs"), locked(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_made_says_what_is_in_the_way(tmp_path):
    (tmp_path / "root").write_text("a file")
    with (
        pytest.raises(ConfigError, match=r"root/features cannot be made: .*another paths\.root"),
        locked(tmp_path / "root" / "features" / "shop"),
    ):
        pass
