"""Small untrained model packages, their place in a registry, and a shop with built features."""

import keras
from shop import config, transactions

from optdist.config.model_choice import section_class
from optdist.models import build_model
from optdist.serving.package import Package
from optdist.tracking import PACKAGE_DIGEST, Tracker
from pipelines.features.build import build_features


def built_shop(spark, folder, **sections):
    """The made-up shop's configuration, its feature table and its registry, still empty."""
    transactions(300).to_csv(folder / "sales.csv", index=False)
    made = config(folder / "root", folder / "sales.csv", **sections)
    return made, build_features(spark, made), Tracker(made)


def write_package(schema, folder, seed=1, **model):
    """Random weights of a seed: predictions differ from seed to seed and are otherwise fixed."""
    keras.utils.set_random_seed(seed)
    sizes = {} if "name" in model else {"num_sdns": 3, "sdn": [8], "dsm": [8]}
    section = section_class(model.get("name", "optdist"))
    made = build_model(schema, section(**sizes, **model), seed)
    made.build_variables()
    for weight in made.trainable_variables:  # away from the common start
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.2, seed=seed))
    return Package.save(made, folder)


def register(tracker, package, **tags):
    """Log and register a package as a training run does; return the version."""
    with tracker.run("made") as run:
        uri = run.log_model(package)
    tags = {PACKAGE_DIGEST: package.digest, "inference": "hard", **tags}
    return tracker.register(uri, run.run_id, tags)
