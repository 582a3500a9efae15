"""A small untrained model package, and its place in a registry, for tests that need no training."""

import keras

from optdist.config import Model
from optdist.models import build_model
from optdist.package import save_package


def write_package(schema, folder, seed=1, **model):
    """Random weights of a seed: predictions differ from seed to seed and are otherwise fixed."""
    keras.utils.set_random_seed(seed)
    made = build_model(schema, Model(num_sdns=3, sdn=[8], dsm=[8], **model), seed)
    made.build_variables()
    for weight in made.trainable_variables:  # away from the common start
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.2, seed=seed))
    return save_package(made, folder)


def register(tracker, package, **tags):
    """Log and register a package as a training run does; return the version."""
    with tracker.run("made") as run:
        uri = run.log_model(package)
    return tracker.register(uri, run.run_id, {"inference": "hard", **tags})
