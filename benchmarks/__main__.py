"""Measure the servers and print their tables: `python -m benchmarks`; for `retrieval` and `soak` see these modules."""

from __future__ import annotations

import argparse
import sys

from benchmarks import MeasurementError, measure, processes, retrieval, soak
from benchmarks.table import Row, tables


def main() -> int:
    if sys.argv[1:2] == ["retrieval"]:
        return retrieval.main(sys.argv[2:])
    if sys.argv[1:2] == ["soak"]:
        return soak.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and less precise")
    parser.add_argument(
        "--rows", default="1,2,3,4,5,6,7,8,9,10,11,12", help="rows to measure, such as 1,3 (default: all)"
    )
    options = parser.parse_args()
    wanted = [int(row) for row in options.rows.split(",")]
    processes.raise_descriptor_limit()
    extent = measure.QUICK if options.quick else measure.FULL
    rows: list[Row] = []
    status = 0
    for numbers, make_rows in measure.MEASUREMENTS:
        if numbers.intersection(wanted):
            try:
                rows += [row for row in make_rows(extent) if row.number in wanted]
            except MeasurementError as error:
                print(f"rows {sorted(numbers)} could not be measured: {error}", file=sys.stderr)
                status = 1
    print(tables(rows))
    return status


if __name__ == "__main__":
    sys.exit(main())
