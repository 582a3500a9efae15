"""Checks, when a schedule is rendered, the settings that its jobs would find at night."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from optdist.config import load_config
from optdist.config.loading import conf_folder, named_file, read_yaml
from optdist.config.secrets import unset_variables
from optdist.errors import ConfigError
from optdist.log import LOG
from pipelines.scheduling.commands import hook_settings
from pipelines.scheduling.plan import Schedule


def check_settings(schedule: Schedule) -> None:
    """Load the configuration of each data set as the jobs will.

    Environment variables may be set only where the jobs run, so one that is not set is a warning.

    Raises:
        ConfigError: listing what is wrong in the first configuration that is.
    """
    changes = [*schedule.settings, *hook_settings(schedule)]
    datasets = [name for job in schedule.jobs for name in schedule.datasets_of(job)]
    for dataset in dict.fromkeys(datasets):
        conf = conf_folder()
        files = [named_file(dataset, "datasets"), named_file(schedule.env, "env")]
        files += [conf / "base.yaml"] if conf else []
        unset = unset_variables([changes, *map(read_yaml, files)])
        missing = [name for name in unset if name not in schedule.variables]
        if missing:
            LOG.warning(f"{dataset}: not set here: {', '.join(missing)}; the jobs need them")
        try:
            with _set(schedule.variables, missing):
                load_config(dataset, schedule.env, changes)
        except ConfigError as error:
            problems = str(error).splitlines()[1:]
            if not missing or not problems or any("${env:" not in line for line in problems):
                raise


@contextmanager
def _set(variables: dict[str, str], missing: Sequence[str]) -> Iterator[None]:
    """Environment variables while a configuration is checked, also the missing ones."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(missing, "1") | variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
