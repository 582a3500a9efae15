"""The configuration of a job; every setting with its unit, default and source.

`dataset.py` and `source.py` hold what `conf/datasets/*.yaml` may say, `model.py` the models' sizes,
`settings.py` all else; `loading.py` reads and merges the files.
"""

from optdist.config.dataset import DatasetConfig, FeaturesConfig, NumericConfig
from optdist.config.loading import conf_folder, config_from, fingerprint, load_config
from optdist.config.model import MdanConfig, MdmeConfig, ModelConfig, MtlMseConfig, TwoStageConfig
from optdist.config.secrets import secrets_hidden
from optdist.config.settings import (
    BuildConfig,
    Config,
    GateConfig,
    PathsConfig,
    PromotionConfig,
    ScoringConfig,
    SplitConfig,
    TrackingConfig,
    TrainingConfig,
)
from optdist.config.source import SourceConfig

__all__ = [
    "BuildConfig",
    "Config",
    "DatasetConfig",
    "FeaturesConfig",
    "GateConfig",
    "MdanConfig",
    "MdmeConfig",
    "ModelConfig",
    "MtlMseConfig",
    "NumericConfig",
    "PathsConfig",
    "PromotionConfig",
    "ScoringConfig",
    "SourceConfig",
    "SplitConfig",
    "TrackingConfig",
    "TrainingConfig",
    "TwoStageConfig",
    "conf_folder",
    "config_from",
    "fingerprint",
    "load_config",
    "secrets_hidden",
]
