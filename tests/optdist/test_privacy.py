import grp
import os

import pytest

from optdist.errors import ConfigError
from optdist.privacy import current_umask, make_private


@pytest.fixture(autouse=True)
def umask():
    before = current_umask()
    yield
    os.umask(before)


def rights(path):
    return oct(path.stat().st_mode & 0o7777)


def test_files_are_the_users_own(tmp_path):
    root = tmp_path / "root"
    make_private(root, None)
    root.mkdir()
    (root / "file").touch()
    assert (rights(root), rights(root / "file")) == ("0o700", "0o600")
    assert current_umask() == 0o077


def test_a_group_may_read_them(tmp_path):
    root, number = tmp_path / "root", os.getgroups()[0] if os.getgroups() else os.getgid()
    make_private(root, grp.getgrgid(number).gr_name)
    (root / "folder").mkdir()
    (root / "folder" / "file").touch()
    assert rights(root / "folder" / "file") == "0o640"
    assert int(rights(root / "folder"), 8) & 0o777 == 0o750
    assert {path.stat().st_gid for path in (root, root / "folder" / "file")} == {number}


def test_a_group_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"paths\.group: the group nobody-has-it of .*not exist"):
        make_private(tmp_path / "root", "nobody-has-it")
