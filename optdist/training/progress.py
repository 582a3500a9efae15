"""Shows the progress of a training run on the terminal."""

from __future__ import annotations

from tqdm import tqdm

from optdist.log import LOG, is_json
from optdist.training.event_file import Event

_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} steps [{elapsed}{postfix}]"


class ProgressBar:
    """A bar per epoch with loss and rows/s, then a line with the epoch's validation metrics."""

    def __init__(self) -> None:
        """Show nothing before the first event."""
        self.bar: tqdm | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event["event"] == "resume":
            LOG.info(f"resuming after epoch {event['epoch']}")
        elif event["event"] == "warm_start":
            LOG.info(event["text"])
        elif event["event"] == "restart":
            self.close()
            LOG.warning(
                f"{event['reason']} The ranks start again, restart {event['restart']} of "
                f"{event['restarts']}."
            )
        elif event["event"] == "step":
            self._step(event)
        elif event["event"] == "epoch":
            self._epoch(event)

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _step(self, event: Event) -> None:
        if self.bar is None:
            self.bar = tqdm(
                desc=f"epoch {event['epoch']}",
                total=event["steps"],
                leave=False,
                mininterval=0,
                bar_format=_BAR,
                disable=True if is_json() else None,  # a log gets the lines of the epochs alone
            )
        self.bar.n = event["step"]
        self.bar.set_postfix_str(
            f"loss {event['loss']:.4f}, {event['rows_per_second']:,.0f} rows/s", refresh=True
        )

    def _epoch(self, event: Event) -> None:
        self.close()
        validation = event["validation"]
        shares = " ".join(f"{part:.0%}" for part in event["sdn_share"] or [])
        LOG.info(
            f"epoch {event['epoch']:>3}/{event['epochs']}  loss {event['loss']:.4f}  "
            f"val Norm-GINI {validation['normalized_gini']:.4f}  "
            f"totals {validation['total_ratio']:.3f}  "
            f"{event['rows_per_second']:>8,.0f} rows/s"
            f"{'  rows per SDN ' + shares if shares else ''}"
            f"{_at_bounds(validation)}"
        )


def _at_bounds(validation: dict[str, float]) -> str:
    """The shares of rows at a bound of mu or sigma, where they are more than 1%."""
    return "".join(
        f"  {name} at a bound {share:.0%}"
        for name in ("mu", "sigma")
        if (share := validation.get(f"at_{name}_bound", 0.0)) > 0.01
    )
