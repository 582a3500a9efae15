"""Defines the settings of each model: a class per model, on top of the settings that all share.

A section holds exactly what its model reads, so that any other setting is refused. A new model adds
its section here, to `SECTIONS` at the end, and a module of its name in `optdist.models`; a model
from outside this package brings its section along (`optdist.config.model_choice`).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from optdist.config.section import Positive, Section

NotNegative = Annotated[float, Field(ge=0)]
AboveZero = Annotated[float, Field(gt=0)]
ModelName = Annotated[
    str,
    Field(description="The model: a short name, or `package.module:Class` for one of your own."),
]


class ModelConfig(Section):
    """The settings that all models share: how features become h (section 3.2)."""

    # whether a row's prediction is a distribution, with quantiles and a likelihood
    has_distribution: ClassVar[bool] = False

    name: ModelName = ""
    embedding_dim: Positive = Field(
        default=5, description="Size of the embedding of a category (4.1.4) [numbers]"
    )
    representation: Annotated[str, Field(pattern=r"^(embedding|[\w.]+:\w+)$")] = Field(
        default="embedding",
        description="How features become h: `embedding`, or a layer of your own as "
        "`package.module:Class` (section 3.2).",
    )
    numeric: Literal["zscore", "piecewise"] = Field(
        default="piecewise",
        description="How numbers are encoded: z-scores as in the paper, or also their place in "
        "bins of equal training frequency.",
    )
    numeric_bins: Positive = Field(
        default=16, description="Bins of equal training frequency for each numeric feature [bins]"
    )
    cross_layers: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Layers of DCN v2's cross network, before the bottom; 0 for none [layers]",
    )
    cross_rank: Positive = Field(
        default=32, description="Rank of the matrix of a cross layer (DCN v2) [columns]"
    )
    bottom: list[Positive] = Field(
        default=[], description="Widths of the bottom layers that all networks share [units]"
    )

    @classmethod
    def inferences(cls) -> tuple[str, ...]:
        """The rules of inference that `inference` can choose from; models without it have one."""
        field = cls.model_fields.get("inference")
        return tuple(get_args(field.annotation)) if field else ("mean",)

    @property
    def rule(self) -> str:
        """The configured rule of inference."""
        return str(getattr(self, "inference", self.inferences()[0]))

    @model_serializer(mode="wrap")
    def _always_named(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep the name where settings that have their default are left out."""
        return {"name": self.name} | handler(self)


class DistributionConfig(ModelConfig):
    """The settings that models of zero-inflated lognormals share."""

    has_distribution: ClassVar[bool] = True

    sigma_min: AboveZero = Field(default=0.05, description="Lower bound of sigma [log-currency]")
    sigma_max: AboveZero = Field(default=2.5, description="Upper bound of sigma [log-currency]")
    interval: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.9,
        description="Share of rows whose value prediction intervals should contain [share]",
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.sigma_min >= self.sigma_max:
            raise ValueError("sigma_min must be below sigma_max")
        return self


class OptDistConfig(DistributionConfig):
    """OptDist (section 3)."""

    name: ModelName = "optdist"
    num_sdns: Positive = Field(
        default=4, description="L, the number of SDNs (4.1.4, Fig. 4) [SDNs]"
    )
    sdn: list[Positive] = Field(
        default=[64, 32, 32], description="Widths of the hidden layers of each SDN (4.1.4) [units]"
    )
    dsm: list[Positive] = Field(
        default=[64], description="Widths of the hidden layers of the selection network [units]"
    )
    temperature: AboveZero = Field(default=1.0, description="Tau of the Gumbel-softmax (Eq. 9).")
    gumbel: Literal["soft", "hard", "none"] = Field(
        default="soft",
        description="Selection weights in training: the Gumbel-softmax (Eq. 9), its "
        "straight-through variant, or alpha itself.",
    )
    ce_weight: NotNegative = Field(
        default=1.0, description="Weight of the hard alignment (Eq. 11) in the loss."
    )
    kl_weight: NotNegative = Field(
        default=1.0, description="Weight of the soft alignment (Eq. 14) in the loss."
    )
    focal_exponent: NotNegative = Field(
        default=2.0, description="Exponent of the focal term of the hard alignment (Eq. 11)."
    )
    inference: Literal["hard", "top2", "soft"] = Field(
        default="soft",
        description="Rule of prediction: the selected SDN as in the paper (Eq. 18), the two "
        "likeliest SDNs, or the mixture of all.",
    )


class ZilnConfig(DistributionConfig):
    """ZILN (Wang et al., arXiv 1912.07753)."""

    name: ModelName = "ziln"
    tower: list[Positive] = Field(
        default=[64, 64, 64], description="Widths of the hidden layers of the tower (4.1.4) [units]"
    )


class TwoStageConfig(ModelConfig):
    """Two-stage (Drachen et al., ACSW 2018), and what its source leaves open."""

    name: ModelName = "two_stage"
    tower: list[Positive] = Field(
        default=[64, 64, 64],
        description="Widths of the hidden layers of each stage (4.1.4) [units]",
    )
    rows: Literal["converted", "weighted", "all"] = Field(
        default="converted",
        description="Rows of the regressor: those with a positive label, all weighted by their "
        "predicted conversion, or all alike.",
    )
    shared_representation: bool = Field(
        default=False, description="Whether both stages share embeddings and bottom layers."
    )


class MtlMseConfig(ModelConfig):
    """MTL-MSE (Ma et al., SIGIR 2018), and what its source leaves open."""

    name: ModelName = "mtl_mse"
    tower: list[Positive] = Field(
        default=[64, 64, 64],
        description="Widths of the hidden layers of each tower (4.1.4) [units]",
    )
    shared: Literal["representation", "tower"] = Field(
        default="representation",
        description="Layers that the two tasks share: the representation alone, or the tower too.",
    )
    error: Literal["value", "product"] = Field(
        default="value",
        description="Target of the squared error: the value of converted rows, or p times the "
        "value of all rows.",
    )
    mse_weight: AboveZero = Field(
        default=1.0,
        description="Weight of the squared error (in mean positive labels squared) next to the "
        "cross-entropy (in nats).",
    )


class MdmeConfig(ModelConfig):
    """MDME (Li et al., CIKM 2022), and what its source leaves open."""

    name: ModelName = "mdme"
    sdn: list[Positive] = Field(
        default=[64, 32, 32],
        description="Widths of the hidden layers of each tower (4.1.4) [units]",
    )
    sub_distributions: Positive = Field(
        default=3,
        description="Ranges of positive labels; zeros have their own [sub-distributions]",
    )
    buckets: Positive = Field(default=4, description="Buckets in each sub-distribution [buckets]")
    ordinal_weight: NotNegative = Field(
        default=1.0, description="Weight of the ordinal towers' loss, in nats."
    )
    distillation_weight: NotNegative = Field(
        default=1.0, description="Weight of the distillation from the ordinal towers, in nats."
    )
    position_weight: AboveZero = Field(
        default=1.0,
        description="Weight of the squared error of the position, in bucket widths squared.",
    )
    inference: Literal["soft", "hard"] = Field(
        default="soft",
        description="Rule of prediction: the expectation over all buckets, or the likeliest "
        "bucket as in the cited paper.",
    )


class MdanConfig(ModelConfig):
    """MDAN (Liu et al., PAKDD 2024), and what its source leaves open."""

    name: ModelName = "mdan"
    tower: list[Positive] = Field(
        default=[64, 64, 64],
        description="Widths of the hidden layers of the classifier (4.1.4) [units]",
    )
    sdn: list[Positive] = Field(
        default=[64, 32, 32],
        description="Widths of a channel network; the last is the embedding's (4.1.4) [units]",
    )
    buckets: Positive = Field(
        default=4, description="Buckets of the positive labels; zeros have their own [buckets]"
    )
    similarity: Literal["channels", "rows"] = Field(
        default="channels",
        description="Which embeddings the similarity loss compares: two channels' of one row, or "
        "two rows'.",
    )
    similarity_weight: NotNegative = Field(
        default=0.1, description="Weight of the similarity loss, which lies in 0..4."
    )
    mse_weight: AboveZero = Field(
        default=1.0,
        description="Weight of the squared error (in mean positive labels squared) next to the "
        "cross-entropy (in nats).",
    )


SECTIONS: dict[str, type[ModelConfig]] = {
    section.model_fields["name"].default: section
    for section in (
        OptDistConfig,
        ZilnConfig,
        TwoStageConfig,
        MtlMseConfig,
        MdmeConfig,
        MdanConfig,
    )
}
