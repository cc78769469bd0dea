"""Models: which there are, how they compare, and which one decides."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Path
from pydantic import AwareDatetime, BaseModel

from services.routing.classifier import shipped
from services.routing.usecases import models
from services.routing.usecases.models import ModelNotFound, ModelRefused
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/models", tags=["models"])
_READERS = (Role.SUPERVISOR, Role.MANAGER, Role.ADMIN, Role.AUDITOR)
Version = Annotated[str, Path(max_length=80, pattern=r"^[a-z0-9-]+$")]


class FiguresOut(BaseModel):
    """Shares from 0 to 1, over `n` texts; times of one decision in milliseconds."""

    n: int
    accuracy: float
    macro_f1: float
    top2: float
    top70: float
    ece: float
    p50_ms: float
    p99_ms: float


class PairOut(BaseModel):
    """Both models on the same texts, which neither has learnt from."""

    candidate: FiguresOut
    in_use: FiguresOut


class ComparisonOut(PairOut):
    """On held-out labels; `made_up`: on the project's own texts, where a candidate may lose little."""

    made_up: PairOut | None = None


class TrainedModelOut(BaseModel):
    """A model. `refused`: it did worse than the one it was compared with. The shipped one has no comparison."""

    version: str
    state: Literal["candidate", "in_use", "retired", "refused"]
    figures: ComparisonOut | None
    compared_with: str | None
    trained_by: str | None
    trained_at: AwareDatetime | None
    decided_by: str | None
    decided_at: AwareDatetime | None


@router.get("", response_model=list[TrainedModelOut], responses=documented())
async def listed(tx: Reading, _: Annotated[Principal, Depends(allow(*_READERS))]) -> list[dict[str, Any]]:
    """The models, newest first; the one that the project ships comes last."""
    return await models.listed(tx, shipped().version)


@router.post(
    "/{version}/adopt", response_model=list[TrainedModelOut], responses=documented(ModelNotFound, ModelRefused)
)
async def adopt(
    version: Version, tx: Tx, clock: ClockDep, principal: Annotated[Principal, Depends(allow(Role.SUPERVISOR))]
) -> list[dict[str, Any]]:
    """Put a model in use; an earlier one, to go back. All processes decide by it within seconds, none stops."""
    own = shipped().version
    await models.adopt(tx, version, shipped=own, by=principal.id, now=clock())
    await tx.flush()
    return await models.listed(tx, own)
