# SPDX-License-Identifier: MIT
"""The page, and the tables between marks in other pages."""
import re

import catalogue
from catalogue import PLACE, ROOMS, SEND, SIZES, shown

MARK = re.compile(r"(<!-- figures:([a-z-]+) -->\n).*?(<!-- /figures -->)", re.DOTALL)
SINGLE = re.compile(r"(<!-- figure:([a-z0-9-]+) -->).*?(<!-- /figure -->)")


def number(value):
    """Three digits that count, and thousands apart."""
    if value >= 100:
        digits = max(0, len(str(int(value))) - 3)
        return f"{int(round(value, -digits)):,}"
    return f"{value:.3g}"


def time(value):
    """Nanoseconds in the unit that suits."""
    return f"{number(value)} ns" if value < 1000 else f"{number(value / 1000)} µs"


def ratio(value):
    return f"{value:.2f}" if value < 10 else number(value)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


class Pages:
    def __init__(self, results):
        self.results = results
        self.tables = results["tables"]

    def row(self, table_name, at, way):
        return self.tables.get(table_name, {}).get(at, {}).get(way)

    def median(self, table_name, at, way):
        row = self.row(table_name, at, way)
        return number(row["median"]) if row else ""

    def beside(self, table_name, at, way, other):
        row = self.row(table_name, at, way)
        if row is None or way == other:
            return "1.00" if row else ""
        return ratio(row["x"][other][1]) if other in row["x"] else ""

    # ---- between marks ----

    def queue(self, ways, room):
        rows = [["room for", *(ROOMS[size] for size in SIZES)]] if room else []
        for way, text in ways:
            cells = [self.median("queue", shown(size), way) for size in SIZES]
            if any(cells):
                rows.append([text, *(f"**{cell}**" if text.startswith("**") and cell else cell for cell in cells)])
        return table(["ns", *SIZES], rows)

    def figures_queue(self):
        return self.queue([(SEND, "**shmx queue**"), ("Boost message_queue", "Boost.Interprocess `message_queue`"),
                           ("ZeroMQ ipc", "ZeroMQ `ipc://`"), ("pipe", "pipe"),
                           ("POSIX message queue", "POSIX message queue"),
                           ("Unix stream socket", "Unix stream socket")], False)

    def figures_queue_all(self):
        others = {way for ways in self.tables.get("queue", {}).values() for way in ways} - {SEND, PLACE, "ring by hand"}
        at = self.tables.get("queue", {}).get(shown("16 B"), {})
        order = sorted(others, key=lambda way: at[way]["median"] if way in at else 1e18)
        return self.queue([(SEND, f"**{SEND}**"), (PLACE, f"{PLACE} (in place)"),
                           ("ring by hand", "ring by hand, one to one, nobody may die"),
                           *((way, way) for way in order)], True)

    def figures_lock(self):
        ways = [("shmx_mutex", "shmx, robust"), ("pthread", "pthread, not robust"),
                ("Boost interprocess_mutex", "Boost, not robust"), ("pthread, robust", "pthread, robust")]
        cells = [self.median("lock", "1", way) for way, _ in ways]
        return table([text for _, text in ways], [[f"**{cells[0]}**", *cells[1:]]])

    def rows_of(self, name, at, prefix=""):
        ways = self.tables.get(name, {}).get(at, {})
        floor = catalogue.floor_of(name, ways)
        order = sorted(ways, key=lambda way: (way != floor, ways[way]["median"]))
        return [[prefix + (f"**{way}**" if way.startswith("shmx") else way), self.median(name, at, way),
                 self.beside(name, at, way, floor)] for way in order]

    def figures_life(self):
        return table(["create, write, close, remove", "ns", "x"], self.rows_of("life", "1 KiB"))

    def figures_open(self):
        rows = self.rows_of("open", "1 KiB")
        for name, at, text in (("users", "100", "100 other users"), ("users", "1000", "1,000 other users"),
                               ("segments", "1000", "1,000 other segments"),
                               ("segments", "10000", "10,000 other segments")):
            if self.row(name, at, "shmx"):
                rows.append([f"shmx, {text}", self.median(name, at, "shmx"), self.beside(name, at, "shmx", "bare calls")])
        return table(["open, read, close", "ns", "x"], rows)

    def figures_touch(self):
        sizes = ["2 MiB", "256 MiB", "1 GiB"]
        rows = []
        for name, way, text in (("touch", "bare calls", "bare calls"), ("touch", "shmx", "shmx"),
                                ("touch", "shmx, SHMX_PREFAULT", "shmx, `SHMX_PREFAULT`"),
                                ("attach", "bare calls", "a later user: bare calls"),
                                ("attach", "shmx, made with SHMX_PREFAULT", "a later user of one made with `SHMX_PREFAULT`")):
            cells = []
            for size in sizes:
                row = self.row(name, size, way)
                cell = self.beside(name, size, way, "bare calls")
                cells.append(f"{cell} ({number(row['median'] / 1e6)} ms)" if row and way == "bare calls" else cell)
            rows.append([text, *cells])
        return table(["", *sizes], rows)

    def figures_lock_all(self):
        rows = []
        for name, at, text in (("lock", "1", "lock, unlock: "), ("lock", "2", "one section, two processes: "),
                               ("lock", "8", "one section, eight processes: "), ("takeover", "", "the owner dies: "),
                               ("tell", "running", "tell a running process, one way: "),
                               ("tell", "asleep", "tell a sleeping process: "), ("nobody", "", "nobody waits: ")):
            rows += self.rows_of(name, at, text)
        return table(["", "ns", "x"], rows)

    def figures_topic(self):
        sizes, rows = ["16 B", "64 B", "256 B"], []
        for name, ways in (("publish", ("ring by hand", "shmx_topic_publish")),
                           ("next", ("ring by hand", "shmx_topic_next")),
                           ("latest", ("memcpy", "ring by hand", "shmx_topic_latest"))):
            for way in ways:
                cells = []
                for size in sizes:
                    value = self.beside(name, size, way, ways[0])
                    cells.append(f"{self.median(name, size, way)} ({value})" if value else "")
                rows.append([f"{name}: " + (f"**{way}**" if way.startswith("shmx") else way), *cells])
        return table(["ns (x)", *sizes], rows)

    def figures_readers(self):
        counts = ["0", "1", "8", "64"]
        ways = ["shmx_topic_publish", "shmx_topic_publish, lossless", "shmx_queue_send to each"]
        return table(["ns, by the number of readers", *counts],
                     [[way, *(self.median("topic", count, way) for count in counts)] for way in ways])

    def figures_targets(self):
        rows = []
        for what, name, at, way, base, most in catalogue.targets():
            row = self.row(name, at, way)
            if row is None or (base is not None and base not in row["x"]):
                continue
            low, value, high = row["x"][base] if base else (row["quarters"][0], row["median"], row["quarters"][1])
            unit = "" if base else " ns"
            rows.append([what, base or "", f"{most:.2f}{unit}", f"{ratio(value)}{unit}", f"{ratio(low)} to {ratio(high)}",
                         "met" if round(value, 2) <= round(most, 2) else "**missed**"])
        return table(["", "beside", "at most", "measured", "middle half", ""], rows)

    def figures(self):
        """{name: text} of all that a mark can ask for."""
        return {name[8:].replace("_", "-"): getattr(self, name)() for name in dir(self) if name.startswith("figures_")}

    def singles(self):
        """{name: text} of what stands within a sentence."""
        ratios = {"create": ("life", "1 KiB", "shmx", "bare calls"), "open": ("open", "1 KiB", "shmx", "bare calls"),
                  "never-full-16": ("queue", "16 B/4 MiB", SEND, "ring by hand"),
                  "never-full-256": ("queue", "256 B/4 MiB", SEND, "ring by hand"),
                  "room-for-few": ("queue", shown("1 MiB"), SEND, "ring by hand")}
        times = {"lock-time": ("lock", "1", "shmx_mutex"), "four-to-four": ("crowd", "16 B", "four to four"),
                 "one-to-one": ("crowd", "16 B", "one to one"), "latency": ("latency", "running", SEND),
                 "latency-spin": ("latency", "running", catalogue.SPIN), "latency-asleep": ("latency", "asleep", SEND),
                 "latency-pipe": ("latency", "asleep", "pipe"), "tell": ("tell", "running", "shmx_wake, shmx_wait"),
                 "tell-asleep": ("tell", "asleep", "shmx_wake, shmx_wait")}
        found = {name: self.beside(*place) for name, place in ratios.items()}
        for name, place in times.items():
            row = self.row(*place)
            found[name] = time(row["median"]) if row else ""
        return {name: text for name, text in found.items() if text}

    def replace_marks(self, path):
        """The names that the page does not get, as nothing has them."""
        with open(path, encoding="utf-8") as page:
            text = page.read()
        unknown = []

        def filled(pattern, known, text):
            unknown.extend(name for name in (mark[2] for mark in pattern.finditer(text)) if name not in known)
            return pattern.sub(lambda mark: mark[1] + known[mark[2]] + mark[3] if mark[2] in known else mark[0], text)

        new = filled(SINGLE, self.singles(), filled(MARK, self.figures(), text))
        if new != text:
            with open(path, "w", encoding="utf-8") as page:
                page.write(new)
        return unknown

    # ---- the page ----

    def facts(self):
        facts = self.results["facts"]
        return table(["", ""], [[key, str(value)] for key, value in facts.items()])

    def section(self, name, at, ways):
        floor, unit = catalogue.floor_of(name, ways), catalogue.UNITS[name]
        tails = any("p99" in row for row in ways.values())
        head = [at, unit, "middle half", "x"] + (["p99", "p99.9"] if tails else [])
        rows = []
        for way in sorted(ways, key=lambda way: (way != floor, ways[way]["median"])):
            row = ways[way]
            cells = [f"**{way}**" if way.startswith("shmx") else way, number(row["median"]),
                     f"{number(row['quarters'][0])} to {number(row['quarters'][1])}",
                     self.beside(name, at, way, floor)]
            if tails:
                cells += [number(row[part]) if part in row else "" for part in ("p99", "p999")]
            rows.append(cells)
        return table(head, rows)

    def page(self, charts):
        text = ["# Measured\n", "Made by `./run bench`; nothing here is written by hand. "
                "[performance.md](../performance.md) says what it means.\n", self.facts(),
                "In each round every way has its turn, one after the other. A time is the median of the rounds. "
                "**x** is the median of the ratios to the first line, each of two times of the same round, so it "
                "need not be the quotient of the two times. The middle half lies between the quartiles of the "
                "rounds. p99 and p99.9 are of single events, with the clock read at each. Where two processes work together, "
                "each has a processor of its own.\n",
                "## Targets\n", self.figures_targets()]
        for skipped in self.results["skipped"]:
            text.append(f"Left out: {skipped}.\n")
        for name, title, _, _ in catalogue.TABLES:
            points = self.tables.get(name)
            if not points:
                continue
            text.append(f"## {title}\n")
            text += [f"![{title}]({chart})\n" for chart in charts.get(name, [])]
            text += [self.section(name, at, ways) for at, ways in points.items()]
        return "\n".join(text)
