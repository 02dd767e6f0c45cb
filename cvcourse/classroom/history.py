"""What happened during training, step by step."""


class History(list):
    """One dict per step: `step` (from 1), `epoch` (from 0), `lr`, `loss`, the parts of the loss.

    Where the model was validated after that step, also the validation's values, by their names.

    best: the row of the best validation so far, where `fit` was asked to keep it.
    interrupted: whether training was stopped by the user.
    """

    def __init__(self, rows=(), *, best: dict | None = None, interrupted: bool = False):
        super().__init__(rows)
        self.best = best
        self.interrupted = interrupted

    def __repr__(self) -> str:
        if not self:
            return "History(no steps)"
        told = f"loss {self[0]['loss']:.4g} to {self[-1]['loss']:.4g}"
        return f"History({len(self)} steps, {told}{', interrupted' if self.interrupted else ''})"

    def names(self) -> list[str]:
        """All that was recorded besides `step` and `epoch`, in order of appearance."""
        return list(dict.fromkeys(n for row in self for n in row if n not in ("step", "epoch")))

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """The steps at which `name` was recorded, and its values there.

        Raises KeyError, with the names there are, for a name that was never recorded.
        """
        rows = [row for row in self if name in row]
        if not rows:
            raise KeyError(f"{name!r} is not in this history, which has {', '.join(self.names())}")
        return [row["step"] for row in rows], [row[name] for row in rows]
