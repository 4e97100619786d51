# SPDX-License-Identifier: MIT
"""The driver of the benchmarks, on tiny rounds: bench.py SOURCE BUILD. Valid JSON, a page, charts
where gnuplot is, and marks that are filled, twice alike."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

source, build = sys.argv[1:]
RUN = [sys.executable, os.path.join(source, "bench", "run.py")]
TABLES = ["life", "lock", "nobody", "latency"]


def run(*words):
    return subprocess.run([*RUN, *words], check=False).returncode


with tempfile.TemporaryDirectory() as folder:
    assert run("measure", build, folder, "--effort", "2", "1", "--only", *TABLES) == 0
    with open(os.path.join(folder, "results.json"), encoding="utf-8") as file:
        results = json.load(file)
    assert set(results["tables"]) == set(TABLES), results["tables"].keys()
    row = results["tables"]["lock"]["1"]["shmx_mutex"]
    assert row["rounds"] == 2 and row["quarters"][0] <= row["median"] <= row["quarters"][1]
    assert "p99" in results["tables"]["latency"]["running"]["shmx_queue_send, receive"]
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
        assert "## Targets" in file.read()
    charts = [name for name in os.listdir(folder) if name.endswith(".svg")]
    assert bool(charts) == (shutil.which("gnuplot") is not None)
    for chart in charts:
        xml.etree.ElementTree.parse(os.path.join(folder, chart))
    page = os.path.join(folder, "page.md")
    with open(page, "w", encoding="utf-8") as file:
        file.write("before\n<!-- figures:lock -->\nold\n<!-- /figures -->\n"
                   "after <!-- figure:lock-time -->old<!-- /figure -->\n")
    assert run("fill", folder, page) == 0
    with open(page, encoding="utf-8") as file:
        filled = file.read()
    assert "old" not in filled and "shmx, robust" in filled and " ns<!-- /figure -->" in filled
    assert run("fill", folder, page) == 0
    with open(page, encoding="utf-8") as file:
        assert file.read() == filled
        assert filled.startswith("before\n")
    with open(page, "a", encoding="utf-8") as file:
        file.write("<!-- figures:nothing -->\n<!-- /figures -->\n")
    assert run("fill", folder, page) == 1
