"""Makes what jobs write private: to the user, or to the user and one group that may read it."""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path

from optdist.errors import ConfigError
from optdist.files import make_folder

USER_ALONE, _GROUP_READS = 0o077, 0o027  # what the umask takes away


def make_private(root: Path, group: str | None) -> None:
    """Let files and folders that this process makes from now on be read by nobody else.

    Args:
        root: the folder of all artifacts; what is in it already stays as it is.
        group: a Unix group that may read them, too, for which the folder is made; None: the user
            alone.

    Raises:
        ConfigError: there is no such group, or the user does not belong to it.
    """
    os.umask(USER_ALONE if group is None else _GROUP_READS)
    if group is None:
        return
    make_folder(root)
    try:
        number = grp.getgrnam(group).gr_gid
        if root.stat().st_gid != number:
            os.chown(root, -1, number)
        mode = stat.S_IMODE(root.stat().st_mode)
        if not mode & stat.S_ISGID:
            os.chmod(root, mode | stat.S_ISGID)  # what is made in it is of its group
    except (KeyError, PermissionError) as error:
        why = "does not exist" if isinstance(error, KeyError) else "cannot be given to it by you"
        raise ConfigError(
            f"paths.group: the group {group} of {root} {why}. Name a group that you belong to, or "
            f"leave paths.group out to keep everything to yourself."
        ) from error


def current_umask() -> int:
    """What this process takes away from the rights of the files that it makes."""
    mask = os.umask(USER_ALONE)
    os.umask(mask)
    return mask
