"""The rows of the factor tables: what each table's columns are, and where every number comes from."""

import hashlib
import json
from abc import abstractmethod
from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from config.base import Name

Confidence = Literal["high", "medium", "low"]
Calibre = Literal["average", "excl_market_nonfossil", "fossil", "product_footprint", "ets_mee"]
"""Which electricity a factor speaks of: all of a grid's, without the non-fossil part that is traded, only its
fossil part; the whole life of a kWh, for products; the one of the emission trading scheme, for allowances."""

Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


def _nothing_as_none(value: object) -> object:
    return None if value == "" else value


class Row(BaseModel):
    """What every row has: where its numbers come from. Text becomes exact decimals here and nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    table: ClassVar[str]
    """Name of the file, without its ending."""

    instrument: str = ""
    """Standard, announcement or contract that sets the number."""
    valid_from: Annotated[date | None, BeforeValidator(_nothing_as_none)] = None
    """Day of the instrument; None where not known."""
    source: Text
    """Where the number was read."""
    confidence: Confidence
    """High: two sources agree, or the instrument itself was read."""
    note: str = ""

    @classmethod
    def numbers(cls) -> frozenset[str]:
        """Return the columns that hold exact decimals."""
        return frozenset(name for name, field in cls.model_fields.items() if field.annotation is Decimal)

    @property
    @abstractmethod
    def key(self) -> str:
        """Return the row's name within its table."""

    @property
    def id(self) -> str:
        """Return its name among all rows, e.g. ``electricity/jiangsu/2022/average``."""
        return f"{self.table}/{self.key}"

    @property
    def hash(self) -> str:
        """Return the row's version: the same for the same content, another for any change of it."""
        content = json.dumps([self.table, self.model_dump(mode="json")], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


class ElectricityFactor(Row):
    """Emissions per kWh of an area's grid in one data year."""

    table = "electricity"
    area: Name
    area_zh: Text
    data_year: Annotated[int, Field(ge=1990, le=2100)]
    calibre: Calibre
    value: Positive
    unit: Literal["kgCO2/kWh", "kgCO2e/kWh"]

    @model_validator(mode="after")
    def _unit_of_calibre(self) -> Self:
        if (self.calibre == "product_footprint") != (self.unit == "kgCO2e/kWh"):
            raise PydanticCustomError("unit_of_calibre", "kgCO2e/kWh belongs to product_footprint alone")
        return self

    @property
    def key(self) -> str:
        """Return area, data year and calibre."""
        return f"{self.area}/{self.data_year}/{self.calibre}"


class FuelFactor(Row):
    """What burning a fuel emits: heating value, carbon in it, share that burns."""

    table = "fuels"
    set: Name
    code: Name
    zh: Text
    en: Text
    per: Literal["t", "kg", "10⁴m³", "m³", "Nm³", "Sm³"]
    lhv: Positive
    """Lower heating value, GJ per unit."""
    carbon: Positive
    """tC per GJ."""
    oxidation: Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)]

    @property
    def key(self) -> str:
        """Return set and fuel."""
        return f"{self.set}/{self.code}"


class HeatFactor(Row):
    """Emissions per GJ of heat bought from others."""

    table = "heat"
    set: Name
    zh: Text
    en: Text
    value: Positive
    unit: Literal["tCO2/GJ"]

    @property
    def key(self) -> str:
        """Return the set."""
        return self.set


class CoalFactor(Row):
    """Standard coal per unit of an energy carrier or working fluid."""

    table = "coal"
    code: Name
    zh: Text
    en: Text
    per: Literal["kg", "t", "m³", "Nm³", "Sm³", "MJ", "kWh"]
    kgce: Positive
    kind: Literal["fuel", "energy", "working_fluid"]
    conflicts: str = ""
    """Other rows in use for the same thing, by code."""

    @property
    def key(self) -> str:
        """Return the code."""
        return self.code


class Constant(Row):
    """A number the formulas take besides."""

    table = "constants"
    code: Name
    zh: Text
    en: Text
    value: Positive
    unit: Text

    @property
    def key(self) -> str:
        """Return the code."""
        return self.code


class QualityRule(Constant):
    """A bound that reporting systems set on data."""

    table = "quality"


TABLES: Final[tuple[type[Row], ...]] = (
    ElectricityFactor,
    FuelFactor,
    HeatFactor,
    CoalFactor,
    Constant,
    QualityRule,
)
