"""The settings of one trial as immutable pydantic models.

A part, such as a connection or a data set, is written as the name of its kind, or as a mapping of `kind` and
options. The model of each kind is made from what the catalog finds in the part's file. Types are strict: text
is never read as a number, and a number is never read as true or false.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from resexp.catalog import scan
from resexp.catalog.plugins import Plugin
from resexp.catalog.probe_name import probe_name
from resexp.catalog.signature import REQUIRED
from resexp.config.frozen import Frozen, expand, refusal
from resexp.config.shortcut_layout import folded
from resexp.options import (
    Activation,
    Depth,
    Fraction,
    Initialisation,
    Margin,
    NaturalInt,
    Norm,
    Placement,
    PositiveFloat,
    PositiveInt,
    Processes,
    ProperFraction,
    Side,
    accepts,
)


class PartConfig(Frozen):
    """One part's kind, the fields that all kinds of its role have, and the kind's own options."""

    info: ClassVar[scan.PartInfo]
    """What the catalog found out about this kind. Every model that `models` returns has it."""

    kind: str

    def build(self, *args: Any, **overrides: Any) -> Any:
        """An instance of the part's class, made with `args`, the options in these settings, and `overrides`,
        which replace options of the same name. This call imports the class.
        """
        return scan.part_class(self.info)(*args, **self.options() | overrides)

    def options(self) -> dict[str, Any]:
        """The values of the kind's own options, which are the keyword arguments of its class."""
        own = type(self).model_fields.keys() - _CONFIGS[self.info.role].model_fields.keys()
        return {name: getattr(self, name) for name in type(self).model_fields if name in own}


class OneOf:
    """Annotates a field that holds a part of a role, or None if it is `optional`. The part is validated by
    the model of its kind. The `plugins` in the validation's context add kinds to those of the package.
    """

    def __init__(self, role: str, optional: bool = False) -> None:
        self.role = role
        self.optional = optional

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kinds = models(self.role)
        union = core_schema.tagged_union_schema(
            {kind: handler.generate_schema(model) for kind, model in kinds.items()}, discriminator="kind"
        )
        names = core_schema.literal_schema(list(kinds))
        return core_schema.with_info_plain_validator_function(
            self._validate, json_schema_input_schema=core_schema.union_schema([names, union])
        )

    def _validate(self, value: Any, info: ValidationInfo) -> PartConfig | None:
        part = expand(value)
        if isinstance(part, ROLE_CONFIGS[self.role]) or (part is None and self.optional):
            return part
        if not isinstance(part, Mapping):
            raise PydanticKnownError("model_attributes_type")
        if "kind" not in part:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "kind"})
        kind = part["kind"]
        kinds = models(self.role, (info.context or {}).get("plugins", ()))
        if not isinstance(kind, str) or kind not in kinds:
            tag = str(kind).encode(errors="backslashreplace").decode()  # it may be invalid Unicode
            tags = {"discriminator": "kind", "tag": tag, "expected_tags": ", ".join(kinds)}
            raise PydanticKnownError("union_tag_invalid", tags)
        return kinds[kind].model_validate(part, context=info.context)


class DataConfig(PartConfig):
    """A data set, and the part of it that is used."""

    train_size: PositiveInt | None = Field(None, description="training examples, stratified; null: all")
    test_size: PositiveInt | None = Field(None, description="test examples, stratified; null: all")
    validation_size: PositiveInt | None = Field(None, description="training examples held out; null: none")
    classes: PositiveInt | Annotated[tuple[str | int, ...], Field(min_length=1)] | None = Field(
        None, description="N for the first N classes, or a list of names or positions from 0; null: all"
    )
    image_size: Side | None = Field(None, description="width and height in pixels; null: the data set's own")
    crop: Margin = Field(0, description="in training, pad each side by this many pixels and crop at random")
    flip: bool = Field(False, description="in training, mirror images left to right at random")
    normalise: Literal["channels", "pixel_mean"] = Field(
        "channels",
        description="channels: subtract each channel's mean and divide by its standard deviation; "
        "pixel_mean: subtract the mean of each pixel (He et al. 2015); computed on the whole training split",
    )
    subset_seed: NaturalInt = Field(0, description="seed for drawing the examples that are used")


class TaskConfig(PartConfig):
    """What the network learns to do."""


class ConnectionConfig(PartConfig):
    """How a block's input and the output of its branch become the block's output."""


class ModelConfig(PartConfig):
    """A trunk, and the parts of its blocks."""

    depth: Depth = Field(description="number of weight layers; each trunk says which depths are possible")
    connection: Annotated[ConnectionConfig, OneOf("connection"), BeforeValidator(folded)] = Field(
        "plain", validate_default=True
    )
    order: Placement = Field("post", description="where norm and activation stand (He et al. 2016)")
    norm: Norm = "batch"
    activation: Activation = "relu"
    init: Initialisation = "he"
    init_noise: Fraction = Field(0.1, description="`init: dirac` adds the weights of `init: he` times this")
    match: Literal["none", "params", "macs"] = Field(
        "none",
        description="choose the width (or the growth) so that this cost is nearest to the plain net's",
    )


class OptimizerConfig(PartConfig):
    """The optimizer."""


class LauncherConfig(PartConfig):
    """What starts trials. It is not in `Settings`, because commands name it and configurations do not."""


class LowRate(Frozen):
    """A factor on the learning rate until the training error falls below a bound, as in He et al. 2015."""

    factor: PositiveFloat = 0.1
    until_train_error: Fraction = 0.8


class ScheduleConfig(PartConfig):
    """How the learning rate changes over training."""

    warmup: ProperFraction = Field(0.0, description="fraction of training with a linear rise from 0")
    low_rate: LowRate | None = None


class TrainingConfig(Frozen):
    """How a trial is trained. Exactly one of `epochs` and `iterations` must be given."""

    epochs: PositiveInt | None = None
    iterations: PositiveInt | None = None
    batch_size: PositiveInt = Field(128, description="an epoch leaves out examples that fill no whole batch")
    optimizer: Annotated[OptimizerConfig, OneOf("optimizer")] = Field("sgd", validate_default=True)
    schedule: Annotated[ScheduleConfig, OneOf("schedule")] = Field("constant", validate_default=True)
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    clip: PositiveFloat | None = Field(None, description="scale larger gradients to this norm; null: never")
    compile: bool = Field(False, description="compile the network with torch.compile")
    processes: Processes = Field(1, description="processes that share each batch, on CPUs of one machine")
    sync_norm: bool = Field(False, description="batch norm over the shares of all processes together")
    channels_last: bool = True
    deterministic: bool = False
    test_every: PositiveInt = Field(1, description="number of epochs between tests")
    train_every: PositiveInt | None = Field(None, description="epochs between train tests; null: 4 at most")

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.epochs is None) == (self.iterations is None):
            wrong = "has epochs and iterations" if self.epochs else "has neither epochs nor iterations"
            raise refusal(wrong, "give exactly one of them")
        return self


class ProbeConfig(PartConfig):
    """A measurement of the network at some moments of training."""

    at: Annotated[tuple[Fraction, ...], Field(min_length=1)] = Field(
        (0.0, 0.01, 0.1, 0.5, 1.0), description="fractions of training; 0 is initialisation"
    )
    batch_size: PositiveInt = 128
    of: Literal["model", "discriminator"] = Field("model", description="the network that is measured")

    @property
    def name(self) -> str:
        return probe_name(self.kind, self.of)


class Settings(Frozen):
    """The settings of one trial. They and the data determine its numbers. A sweep has one for each point."""

    data: Annotated[DataConfig, OneOf("data")]
    task: Annotated[TaskConfig, OneOf("task")] = Field("classification", validate_default=True)
    model: Annotated[ModelConfig, OneOf("model")]
    discriminator: Annotated[ModelConfig | None, OneOf("model", optional=True)] = Field(
        None, description="tells real examples from those of `model`; only for tasks that train both"
    )
    training: TrainingConfig
    probes: tuple[Annotated[ProbeConfig, OneOf("probe")], ...] = ()
    seed: NaturalInt = 0


ROLE_CONFIGS: dict[str, type[PartConfig]] = {
    **{"connection": ConnectionConfig, "model": ModelConfig, "data": DataConfig, "task": TaskConfig},
    **{"probe": ProbeConfig, "optimizer": OptimizerConfig, "schedule": ScheduleConfig},
}
_CONFIGS = ROLE_CONFIGS | {"launcher": LauncherConfig}


@cache
def models(role: str, plugins: tuple[Plugin, ...] = ()) -> Mapping[str, type[PartConfig]]:
    """The pydantic model of every kind of a role, by kind: the package's and the plugins'.

    Raises ConfigError if a part has an option that its role forbids or whose type refuses its default.
    """
    known = models(role) if plugins else {}
    return {kind: known.get(kind) or _model(part) for kind, part in scan.parts(role, plugins).items()}


def _model(part: scan.PartInfo) -> type[PartConfig]:
    base = _CONFIGS[part.role]
    for name in part.options:
        if name in base.model_fields:
            wrong = "is already the name of a setting of all parts of this role"
            raise scan.error(part, name, wrong, "rename the option")
        if name.startswith("_") or name in base.__class_vars__ or hasattr(base, name):
            raise scan.error(part, name, "is a name that no option can have", "rename the option")
    for name, option in part.options.items() if part.plugin else ():
        if option.default is not REQUIRED and not accepts(option.annotation, option.default):
            wrong = f"has the default {repr(option.default)[:50]}, which its type refuses"
            raise scan.error(part, name, wrong, "change one of them")
    options: dict[str, Any] = {name: (o.annotation, o.default) for name, o in part.options.items()}
    options["kind"] = (Literal[part.kind], ...)
    doc = part.doc or base.__doc__
    model = create_model(f"{part.class_name}{base.__name__}", __base__=base, __doc__=doc, **options)
    model.info = part
    return model
