# SPDX-License-Identifier: MIT
"""From samples to figures. A ratio is the median of the ratios within each round."""
import math


def quantile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, max(0, math.ceil(part * len(values)) - 1))]


def middle(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


class Results:
    """Rows by table, point of the axis and way: round to value, and all single values."""

    def __init__(self):
        self.rounds = {}
        self.singles = {}
        self.failed = set()

    def add(self, sample):
        key = sample["table"], sample["at"], sample["way"]
        if "each" in sample:
            self.singles.setdefault(key, []).extend(sample["each"])
            self.rounds.setdefault(key, {}).setdefault(sample["round"], middle(sample["each"]))
        elif sample["value"] < 0:
            self.failed.add(key)
        else:
            self.rounds.setdefault(key, {})[sample["round"]] = sample["value"]

    def ratios(self, key, base):
        mine, other = self.rounds.get(key, {}), self.rounds.get(base, {})
        return [mine[round] / other[round] for round in mine if other.get(round)]

    def figures(self):
        """{table: {at: {way: figures}}}, as results.json has them."""
        tables = {}
        for key, rounds in self.rounds.items():
            table, at, way = key
            if key in self.failed:
                continue
            values = list(rounds.values())
            row = {"median": middle(values), "quarters": [quantile(values, 0.25), quantile(values, 0.75)],
                   "rounds": len(values), "x": self._beside(key)}
            if key in self.singles:
                single = self.singles[key]
                row.update(single=len(single), p50=middle(single), p99=quantile(single, 0.99))
                if len(single) >= 1000:
                    row["p999"] = quantile(single, 0.999)
            tables.setdefault(table, {}).setdefault(at, {})[way] = row
        return tables

    def _beside(self, key):
        """The median ratio to each other way of the same point."""
        table, at, _ = key
        others = [other for other in self.rounds if other[:2] == (table, at) and other != key]
        found = {}
        for other in others:
            ratios = self.ratios(key, other)
            if ratios and other not in self.failed:
                found[other[2]] = [quantile(ratios, 0.25), middle(ratios), quantile(ratios, 0.75)]
        return found
