#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure, and write tables, charts and pages: see ./run bench.

    run.py measure BUILD FOLDER [--quick] [--runner WORDS] [--only TABLE]... [--effort ROUNDS PERCENT]
    run.py draw FOLDER               tables and charts again, from results.json
    run.py fill FOLDER PAGE...       the figures between marks, in pages
"""
import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time

import catalogue
import draw
import pages
from results import Results

HERE = os.path.dirname(os.path.abspath(__file__))


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def facts_of(build, runner):
    with open(os.path.join(build, "bench", "facts.json"), encoding="utf-8") as file:
        facts = json.load(file)
    about = {"machine": f"{processor()}, {os.cpu_count()} processors", "kernel": f"{platform.system()} {platform.release()}",
             "C library": " ".join(platform.libc_ver()), "Python": platform.python_version()}
    if runner:
        version = subprocess.run([*runner, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        about["under"] = f"{version} (Wine, not Windows itself)" if "wine" in runner[0] else version
    about["measured"] = time.strftime("%Y-%m-%d")
    return {**about, **facts}


def run(program, tables, effort, results, runner):
    """The fault as a sentence, or nothing."""
    command = [*runner, program, str(effort[0]), str(effort[1]), *tables]
    environment = dict(os.environ, SHMX_BENCH_PYTHON=f"{shlex.quote(sys.executable)} {shlex.quote(HERE)}/peers")
    if runner:
        del environment["SHMX_BENCH_PYTHON"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout:
            if not line.startswith("{"):
                continue
            sample = json.loads(line)
            results.add(sample)
            progress(f"{sample['table']} {sample['at']}: {sample['way']}, round {sample['round'] + 1}")
    return process.returncode != 0


def measure(arguments):
    runner = shlex.split(arguments.runner or "")
    facts, results, skipped = facts_of(arguments.build, runner), Results(), []
    for name, text in catalogue.PEERS.items():
        if name not in facts and not runner:
            skipped.append(f"{text}, not installed (`./run bench --install` does)")
    began = time.monotonic()
    for name, tables in catalogue.PROGRAMS.items():
        program = os.path.join(arguments.build, "bench", "bench_" + name + (".exe" if runner else ""))
        wanted = [table for table in tables if not arguments.only or table in arguments.only]
        if not wanted or not os.path.exists(program):
            continue
        effort = arguments.effort or catalogue.EFFORT[name][1 if arguments.quick else 0]
        if run(program, wanted, effort, results, runner):
            skipped.append(f"part of {', '.join(wanted)}, which failed")
    progress("")
    for table, at, way in sorted(results.failed):
        skipped.append(f"{way} in {table} {at}, which failed")
    facts["seconds"] = round(time.monotonic() - began)
    os.makedirs(arguments.folder, exist_ok=True)
    with open(os.path.join(arguments.folder, "results.json"), "w", encoding="utf-8") as file:
        json.dump({"facts": facts, "skipped": skipped, "tables": results.figures()}, file, indent=1)
        file.write("\n")
    for line in skipped:
        print("left out:", line, file=sys.stderr)
    return write(arguments.folder)


def load(folder):
    with open(os.path.join(folder, "results.json"), encoding="utf-8") as file:
        return json.load(file)


def write(folder):
    results, charts = load(folder), {}
    try:
        charts = draw.charts(results, catalogue.TITLES, catalogue.UNITS, folder)
    except FileNotFoundError:
        print("left out: charts, as there is no gnuplot (./run bench --install)", file=sys.stderr)
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as page:
        page.write(pages.Pages(results).page(charts))
    return 0


def fill(folder, paths):
    writer, unknown = pages.Pages(load(folder)), []
    for path in paths:
        unknown += [f"{path}: no figures are called {name}" for name in writer.replace_marks(path)]
    for line in unknown:
        print(line, file=sys.stderr)
    return 1 if unknown else 0


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("measure")
    verb.add_argument("build")
    verb.add_argument("folder")
    verb.add_argument("--quick", action="store_true")
    verb.add_argument("--runner")
    verb.add_argument("--only", nargs="+")
    verb.add_argument("--effort", nargs=2, type=int)
    verb = verbs.add_parser("draw")
    verb.add_argument("folder")
    verb = verbs.add_parser("fill")
    verb.add_argument("folder")
    verb.add_argument("pages", nargs="+")
    arguments = parser.parse_args()
    if arguments.verb == "measure":
        return measure(arguments)
    return write(arguments.folder) if arguments.verb == "draw" else fill(arguments.folder, arguments.pages)


if __name__ == "__main__":
    sys.exit(main())
