# SPDX-License-Identifier: MIT
"""Charts by gnuplot: no background, and colours that are read on white and on black."""
import os
import subprocess

from catalogue import SIZES, shown

OWN, OTHERS, INK = "#3b82f6", ["#d97706", "#8b5cf6", "#059669", "#dc5050", "#7c8798", "#b0651f", "#c026a3", "#4d9fb8"], "#808080"
SPREAD = 30  # where the largest is more than so many times the smallest, the axis is logarithmic
HEAD = f"""set encoding utf8
set terminal svg size 860,%d dynamic font "sans-serif,13"
set output "%s"
set border 3 lc rgb "{INK}"
set tics textcolor rgb "{INK}" nomirror
set title "%s" textcolor rgb "{INK}"
set grid lc rgb "{INK}" dt 3 lw 0.4
set datafile separator "\\t"
"""


def quoted(text):
    return text.replace("\\", "").replace('"', "'").replace("_", "\\\\_")


def gnuplot(path, script):
    done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("gnuplot: " + done.stderr)
    with open(path, "r+", encoding="utf-8") as file:
        text = file.read().replace(" us<", " µs<")  # which gnuplot writes in some locales only
        file.seek(0)
        file.write(text)


def own(way):
    return way.startswith("shmx")


def axis(name, unit, values):
    """The axis from 0 where all can be seen on it; and the factor that makes its numbers of the values."""
    logarithmic = max(values) > SPREAD * min(values)
    text = f"set logscale {name}\n" if logarithmic else ""
    if unit == "ns":
        text += f'set format {name} "%.0s %cs"\n'
    return logarithmic, text, 1e-9 if unit == "ns" else 1


def bars(path, title, unit, rows):
    """rows: (way, median, lower, upper)."""
    logarithmic, numbers, factor = axis("x", unit, [row[1] for row in rows])
    rows = sorted(((row[0], *(value * factor for value in row[1:])) for row in rows), key=lambda row: -row[1])
    lines = [f'{at}\t{row[1]}\t{row[2]}\t{row[3]}\t{int(OWN[1:] if own(row[0]) else INK[1:], 16)}'
             for at, row in enumerate(rows)]
    tics = ", ".join(f'"{quoted(row[0])}" {at}' for at, row in enumerate(rows))
    least = min(row[1] for row in rows) / 3 if logarithmic else 0
    label = ("" if unit == "ns" else f"{unit}, ") + ("logarithmic; " if logarithmic else "") + "the median, and the middle half"
    script = HEAD % (90 + 28 * len(rows), path, quoted(title))
    script += numbers + f"""set xlabel "{label}" textcolor rgb "{INK}"
set ytics ({tics})
set xrange [{least}:*]
set yrange [-0.7:{len(rows) - 0.3}]
set key off
set style fill solid 0.8 noborder
$rows << EOD
""" + "\n".join(lines) + f"""
EOD
plot $rows using 2:1:({least}):2:($1-0.35):($1+0.35):5 with boxxyerror lc rgb variable, \\
     $rows using 2:1:3:4 with xerrorbars pt 0 lw 1.5 lc rgb "{INK}"
"""
    gnuplot(path, script)


def lines(path, title, unit, points, series):
    """points: names along the axis; series: {way: {point: value}}."""
    script = HEAD % (420, path, quoted(title))
    logarithmic, numbers, factor = axis("y", unit, [value for values in series.values() for value in values.values()])
    label = ", ".join(([] if unit == "ns" else [unit]) + (["logarithmic"] if logarithmic else []))
    script += numbers + ("" if logarithmic else "set yrange [0:*]\n") + f"""set ylabel "{label}" textcolor rgb "{INK}"
set xtics ({", ".join(f'"{quoted(point)}" {at}' for at, point in enumerate(points))})
set xrange [-0.2:{len(points) - 0.8}]
set key outside right textcolor rgb "{INK}"
"""
    plots = []
    for number, (way, values) in enumerate(series.items()):
        rows = "\n".join(f"{at}\t{values[point] * factor}" for at, point in enumerate(points) if point in values)
        script += f"$s{number} << EOD\n{rows}\nEOD\n"
        colour = OTHERS[number % len(OTHERS)]
        dash = [1, 2, 4][[other for other in series if own(other)].index(way) % 3] if own(way) else 1
        look = f'lc rgb "{OWN}" lw 3 dt {dash} pt {5 + number % 9}' if own(way) else f'lc rgb "{colour}" lw 1.5 pt {5 + number % 9}'
        plots.append(f'$s{number} using 1:2 with linespoints {look} title "{quoted(way)}"')
    gnuplot(path, script + "plot " + ", ".join(plots) + "\n")


def charts(results, titles, units, folder):
    """One for each table, as far as it was measured: {table: [file]}."""
    made = {}
    os.makedirs(folder, exist_ok=True)
    for table, points in results["tables"].items():
        if units[table] == "bytes":
            continue
        if table in ("queue", "users", "segments", "lock", "topic"):
            name = f"{table}.svg"
            series = {}
            short = {at: at for at in points}
            if table == "queue":  # of each size the room that the pages show
                short = {shown(size): size for size in SIZES if shown(size) in points}
            for at, point in short.items():
                for way, row in points[at].items():
                    series.setdefault(way, {})[point] = row["median"]
            lines(os.path.join(folder, name), titles[table], units[table], list(short.values()), series)
            made[table] = [name]
            continue
        for at, ways in points.items():
            name = "-".join([table, *at.lower().split()]) + ".svg"
            title = titles[table] + (f": {at}" if at else "")
            rows = [(way, row["median"], *row["quarters"]) for way, row in ways.items() if row["median"] > 0]
            if rows:
                bars(os.path.join(folder, name), title, units[table], rows)
                made.setdefault(table, []).append(name)
    return made
