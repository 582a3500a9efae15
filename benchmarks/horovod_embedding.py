"""Times the averaging of an embedding table's gradient over two ranks, densely or as slices.

Dense sends the whole table, slices send what the batches touched. Both end as a dense gradient,
because the optimizer and the clipping need one. The two take turns, 20 steps each.
"""

import argparse
import statistics
import time

import horovod


def main() -> None:
    """Print milliseconds per step and the ratio, for each size of table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table-rows", type=int, nargs="+", default=[5_000, 50_000, 500_000])
    parser.add_argument("--columns", type=int, default=15)
    parser.add_argument("--batch", type=int, default=1024, help="rows per rank")
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    for table_rows in options.table_rows:
        arguments = (table_rows, options.columns, options.batch, options.steps)
        dense, slices = horovod.run(_measure, arguments, np=2, use_gloo=True)[0]
        print(
            f"table of {table_rows:>7,} x 5: dense {dense:.2f} ms, slices {slices:.2f} ms a step, "
            f"dense takes {dense / slices:.2f} of the slices' time"
        )


def _measure(table_rows: int, columns: int, batch: int, steps: int) -> tuple[float, float]:
    """Median milliseconds of a gradient on this rank: dense, slices."""
    import numpy as np
    import tensorflow as tf

    from optdist.training.communicator import HorovodRanks

    tf.config.threading.set_intra_op_parallelism_threads(1)
    ways = [HorovodRanks(sparse_as_dense=True), HorovodRanks(sparse_as_dense=False)]
    rng = np.random.default_rng(ways[0].rank)
    # Categories are skewed, as in retail: a few are in most batches.
    ids = tf.constant(np.minimum(rng.zipf(1.3, (batch, columns)), table_rows) - 1)
    table = tf.Variable(tf.zeros([table_rows, 5]))

    def step(ranks):  # type: ignore[no-untyped-def]  # AutoGraph cannot see local annotations
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, ids) ** 2)
        return tf.reduce_sum(ranks.gradients(tape, loss, [table])[0])

    functions = [tf.function(lambda ranks=ranks: step(ranks)) for ranks in ways]
    taken: list[list[float]] = [[], []]
    for block in range(steps // 20 + 1):
        for function, times in zip(functions, taken, strict=True):
            started = time.perf_counter()
            for _ in range(20):
                function().numpy()
            if block:  # the first ones trace and meet
                times.append(1e3 / 20 * (time.perf_counter() - started))
    return statistics.median(taken[0]), statistics.median(taken[1])


if __name__ == "__main__":
    main()
