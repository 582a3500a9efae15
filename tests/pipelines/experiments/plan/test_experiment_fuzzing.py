"""An experiment's file with anything in place of each setting is read, or a ConfigError."""

import copy
import json
import math

from optdist.config import conf_folder
from optdist.config.loading import read_yaml
from optdist.errors import ConfigError
from pipelines.experiments.plan.config import ExperimentConfig, load_experiment

OTHERS = [None, True, 0, -1, 1.5, "", "x", [], {}, [[]], [{}], {"a": [1]}, 10**400, math.nan]


def places(tree, place=()):
    yield place
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        inner = isinstance(value, dict | list)
        yield from places(value, (*place, key)) if inner else [(*place, key)]


def with_other(tree, place, other):
    if not place:
        return other
    tree = copy.deepcopy(tree)
    parent = tree
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = other
    return tree


def test_anything_in_place_of_a_setting_is_taken_or_refused(tmp_path):
    right, path = read_yaml(conf_folder() / "experiments" / "quick.yaml"), tmp_path / "own.yaml"
    outcomes = set()
    for place in places(right):
        for other in OTHERS:
            path.write_text(json.dumps(with_other(right, place, other)))
            try:
                outcomes.add(type(load_experiment(path)))
            except ConfigError as error:
                assert str(path) in str(error)
                outcomes.add(ConfigError)
    assert outcomes == {ExperimentConfig, ConfigError}
