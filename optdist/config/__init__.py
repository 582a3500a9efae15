"""The configuration of a job; every setting with its unit, default and source.

`dataset.py` and `source.py` hold what `conf/datasets/*.yaml` may say, `model.py` the models' sizes,
`settings.py` all else; `loading.py` reads and merges the files.
"""

from optdist.config.dataset import Dataset, Features, Numeric
from optdist.config.loading import CONF_DIR, config_from, fingerprint, load_config
from optdist.config.model import Mdan, Mdme, Model, MtlMse, TwoStage
from optdist.config.secrets import secrets_hidden
from optdist.config.settings import (
    Build,
    Config,
    Gate,
    Paths,
    Promotion,
    Scoring,
    Split,
    Tracking,
    Training,
)
from optdist.config.source import Source

__all__ = [
    "CONF_DIR",
    "Build",
    "Config",
    "Dataset",
    "Features",
    "Gate",
    "Mdan",
    "Mdme",
    "Model",
    "MtlMse",
    "Numeric",
    "Paths",
    "Promotion",
    "Scoring",
    "Source",
    "Split",
    "Tracking",
    "Training",
    "TwoStage",
    "config_from",
    "fingerprint",
    "load_config",
    "secrets_hidden",
]
