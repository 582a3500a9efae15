"""The models and their sizes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from optdist.config.section import Positive, Section


class TwoStageConfig(Section):
    """What the sources leave open of two-stage."""

    rows: Literal["converted", "weighted", "all"] = "converted"  # of the regressor
    shared_representation: bool = False


class MtlMseConfig(Section):
    """What the sources leave open of MTL-MSE."""

    shared: Literal["representation", "tower"] = "representation"
    error: Literal["value", "product"] = "value"  # what the squared error is of
    mse_weight: Annotated[float, Field(gt=0)] = 1.0  # beside cross-entropy, in nats


class MdmeConfig(Section):
    """What the sources leave open of MDME."""

    sub_distributions: Positive = 3  # of the positive labels; zeros have their own beside them
    buckets: Positive = 4  # in each sub-distribution
    # in the loss, beside the classifications' cross-entropy in nats:
    ordinal_weight: Annotated[float, Field(ge=0)] = 1.0  # of the ordinal towers
    distillation_weight: Annotated[float, Field(ge=0)] = 1.0  # of their distillation
    position_weight: Annotated[float, Field(gt=0)] = 1.0  # of the place within the bucket


class MdanConfig(Section):
    """What the sources leave open of MDAN."""

    buckets: Positive = 4  # of the positive labels; zeros have their own beside them
    similarity: Literal["channels", "rows"] = "channels"  # of which embeddings
    similarity_weight: Annotated[float, Field(ge=0)] = 0.1
    mse_weight: Annotated[float, Field(gt=0)] = 1.0  # beside cross-entropy, in nats


class ModelConfig(Section):
    """The model and its sizes (paper section 3, 4.1.4)."""

    name: Literal["optdist", "two_stage", "mtl_mse", "ziln", "mdme", "mdan"] = "optdist"
    num_sdns: Annotated[int, Field(ge=1)] = 4  # L, the candidate distributions
    embedding_dim: Positive = 5  # numbers of a category's embedding
    # "embedding", or a class of your own as `package.module:Class` (section 3.2)
    representation: Annotated[str, Field(pattern=r"^(embedding|[\w.]+:\w+)$")] = "embedding"
    numeric: Literal["zscore", "piecewise"] = "piecewise"  # the paper has "zscore"
    numeric_bins: Positive = 16  # of equal training frequency, per number
    cross_layers: Annotated[int, Field(ge=0)] = 0  # of DCN v2's cross network, before the bottom
    cross_rank: Positive = 32  # of a cross layer's low-rank matrix
    bottom: list[Positive] = []  # widths of the shared bottom layers
    tower: list[Positive] = [64, 64, 64]  # of the models with one tower a task (4.1.4)
    sdn: list[Positive] = [64, 32, 32]  # of each SDN, bucket or channel network (4.1.4)
    dsm: list[Positive] = [64]  # widths of the selection network
    temperature: Annotated[float, Field(gt=0)] = 1.0  # tau of Eq. 9
    gumbel: Literal["soft", "hard", "none"] = "soft"  # Eq. 9, straight-through, or alpha itself
    ce_weight: Annotated[float, Field(ge=0)] = 1.0  # of Eq. 11 in the loss
    kl_weight: Annotated[float, Field(ge=0)] = 1.0  # of Eq. 14 in the loss
    focal_exponent: Annotated[float, Field(ge=0)] = 2.0  # of Eq. 11
    sigma_min: Annotated[float, Field(gt=0)] = 0.05  # of log-currency
    sigma_max: Annotated[float, Field(gt=0)] = 2.5  # of log-currency
    inference: Literal["hard", "top2", "soft"] = "soft"  # the papers have "hard" (Eq. 18)
    interval: Annotated[float, Field(gt=0, lt=1)] = 0.9  # share of rows that intervals hold
    two_stage: TwoStageConfig = TwoStageConfig()
    mtl_mse: MtlMseConfig = MtlMseConfig()
    mdme: MdmeConfig = MdmeConfig()
    mdan: MdanConfig = MdanConfig()

    @property
    def has_distribution(self) -> bool:
        """Whether the model predicts a distribution, and not the mean alone."""
        return self.name in {"optdist", "ziln"}

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.sigma_min >= self.sigma_max:
            raise ValueError("sigma_min must be below sigma_max")
        return self
