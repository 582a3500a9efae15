"""Defines the configuration of a job: every setting with its unit, default and source.

`dataset.py` and `source.py` define what `conf/datasets/*.yaml` may contain, `models.py` the models'
settings, `training.py` training and its engine, `settings.py` everything else; `loading.py` reads
and merges the files.
"""

from optdist.config.dataset import DatasetConfig, FeaturesConfig, NumericConfig
from optdist.config.gate import GateConfig
from optdist.config.limits import LimitsConfig
from optdist.config.loading import conf_folder, config_from, fingerprint, load_config
from optdist.config.model_choice import AnyModelConfig, model_section
from optdist.config.models import (
    DistributionConfig,
    MdanConfig,
    MdmeConfig,
    ModelConfig,
    MtlMseConfig,
    OptDistConfig,
    TwoStageConfig,
    ZilnConfig,
)
from optdist.config.on_failure import OnFailureConfig
from optdist.config.promotion import PromotionConfig
from optdist.config.secrets import secrets_hidden
from optdist.config.settings import (
    BuildConfig,
    Config,
    PathsConfig,
    ScoreColumn,
    ScoringConfig,
    TrackingConfig,
)
from optdist.config.source import SourceConfig
from optdist.config.split import SplitConfig
from optdist.config.training import MACHINE_SETTINGS, HorovodConfig, TrainingConfig

__all__ = [
    "MACHINE_SETTINGS",
    "AnyModelConfig",
    "BuildConfig",
    "Config",
    "DatasetConfig",
    "DistributionConfig",
    "FeaturesConfig",
    "GateConfig",
    "HorovodConfig",
    "LimitsConfig",
    "MdanConfig",
    "MdmeConfig",
    "ModelConfig",
    "MtlMseConfig",
    "NumericConfig",
    "OnFailureConfig",
    "OptDistConfig",
    "PathsConfig",
    "PromotionConfig",
    "ScoreColumn",
    "ScoringConfig",
    "SourceConfig",
    "SplitConfig",
    "TrackingConfig",
    "TrainingConfig",
    "TwoStageConfig",
    "ZilnConfig",
    "conf_folder",
    "config_from",
    "fingerprint",
    "load_config",
    "model_section",
    "secrets_hidden",
]
