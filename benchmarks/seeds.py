"""The test metrics of finished runs in the MLflow store, one row a seed, as a Markdown table."""

import argparse
import statistics

from optdist.config import load_config
from optdist.tracking import Tracker

METRICS = {
    "normalized_gini": "Norm-GINI",
    "normalized_gini_positive": "Norm-GINI(+)",
    "spearman": "Spearman",
    "spearman_positive": "Spearman(+)",
    "mae": "MAE",
    "mae_zero": "MAE of zero",
    "total_ratio": "total ratio",
}


def main() -> None:
    """Print the table: the newest run of each seed, then mean and standard deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="complete_journey")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    config = load_config(options.dataset, overrides=options.set)
    tracker = Tracker(config)
    seeds: dict[int, dict[str, float]] = {}
    for run in tracker.client.search_runs([tracker.experiment_id], "status = 'FINISHED'"):
        if run.data.params.get("data.name") == config.dataset.name:
            seeds.setdefault(int(run.data.params["training.seed"]), run.data.metrics)
    print("| seed | " + " | ".join(METRICS.values()) + " |")
    print("|---" * (len(METRICS) + 1) + "|")
    for seed, metrics in sorted(seeds.items()):
        cells = [f"{metrics[f'test_{name}']:.4f}" for name in METRICS]
        print(f"| {seed} | " + " | ".join(cells) + " |")
    if len(seeds) > 1:
        columns = [[m[f"test_{name}"] for m in seeds.values()] for name in METRICS]
        cells = [f"{statistics.mean(c):.4f} ± {statistics.stdev(c):.4f}" for c in columns]
        print("| mean ± sd | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
