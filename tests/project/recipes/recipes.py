# SPDX-License-Identifier: MIT
"""The recipes of packaging/: recipes.py ROOT [FOLDER]

Without FOLDER: each names the version that meson.build has, and reads as what it is. With FOLDER, which is
emptied: a tarball of the tree lies on a server of this test, and each recipe fetches, builds, installs and
uses it as far as its tool, or a stand-in of a few lines for that tool, allows. Ends with "N passed, M failed".
"""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
RECIPES = pathlib.Path("packaging/recipes")
# Where a recipe says its version.
VERSIONS = {
    "packaging/debian/changelog": r"shmx \(([0-9.]+)-",
    "packaging/debian/libshmx0.symbols": r'shmx_\S* ([0-9.]+)',
    "packaging/recipes/APKBUILD": r"pkgver=(\S+)",
    "packaging/recipes/conan/conandata.yml": r'^  "([0-9.]+)":',
    "packaging/recipes/conan/conanfile.py": r'^    version = "(.*)"',
    "packaging/recipes/nix/package.nix": r'^  version = "(.*)";',
    "packaging/recipes/shmx.rb": r'^  version "(.*)"',
    "packaging/recipes/shmx.wrap": r"^directory = shmx-(.*)",
    "packaging/recipes/vcpkg/shmx/vcpkg.json": r'"version": "(.*)"',
}


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def tell(self, good, what):
        self.passed += good
        self.failed += not good
        print("ok   " if good else "FAIL ", what, flush=True)

    def run(self, what, *command):
        """The output is shown if it fails."""
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.tell(done.returncode == 0, what)
        if done.returncode != 0:
            print(done.stdout.decode(errors="replace")[-3000:])


def have(*tools):
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if absent:
        print("left out: there is no", *absent)
    return not absent


# ---- what they say ----

def wanted_version(path, version):
    # Functions are added by minor versions only.
    return re.sub(r"\.\d+$", ".0", version) if path.endswith(".symbols") else version


def check_versions(tally, version):
    for path, pattern in VERSIONS.items():
        said = set(re.findall(pattern, pathlib.Path(path).read_text(encoding="utf-8"), re.MULTILINE))
        tally.tell(said == {wanted_version(path, version)}, f"{path} is of {version}")


def check_forms(tally):
    for path in sorted(RECIPES.rglob("*.py")):
        compile(path.read_text(encoding="utf-8"), path, "exec")
        tally.tell(True, f"{path} is Python")
    json.loads((RECIPES / "vcpkg/shmx/vcpkg.json").read_text(encoding="utf-8"))
    tally.tell(True, "vcpkg.json is JSON")
    if have("sh"):
        tally.run("APKBUILD is shell", "sh", "-n", RECIPES / "APKBUILD")
    if have("ruby"):
        tally.run("shmx.rb is Ruby", "ruby", "-c", RECIPES / "shmx.rb")
    if have("nix-instantiate"):
        for path in sorted(RECIPES.glob("nix/*.nix")):
            tally.run(f"{path} is Nix", "nix-instantiate", "--parse", path)


# ---- what they do ----

@contextlib.contextmanager
def served(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def tarball(folder, version):
    path = folder / f"shmx-{version}.tar.gz"
    tree = subprocess.run(["git", "stash", "create"], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["git", "archive", f"--prefix=shmx-{version}/", "-o", path, tree or "HEAD"], check=True)
    return path


def try_wrap(tally, filled, work):
    """Meson itself: a project outside fetches the subproject, and its programs run."""
    project = work / "wrap"
    shutil.copytree("tests/project/outside/project", project)
    (project / "subprojects").mkdir()
    shutil.copy(filled / "shmx.wrap", project / "subprojects")
    tally.run("wrap: Meson fetches and configures", "meson", "setup", "--wrap-mode=forcefallback",
              project / "build", project)
    tally.run("wrap: builds", "ninja", "-C", project / "build")
    for kind in "shared", "static":
        tally.run(f"wrap: the {kind} program runs", project / "build" / f"{kind}_c")


def try_vcpkg(tally, filled, work):
    """The port by a stand-in for vcpkg's functions; then a program by find_package."""
    for linkage in "static", "dynamic":
        root = work / f"vcpkg-{linkage}"
        tally.run(f"vcpkg, {linkage}: the port is built", "cmake", f"-DPORT_DIR={filled}/vcpkg/shmx",
                  f"-DROOT={root}", f"-DVCPKG_LIBRARY_LINKAGE={linkage}", "-P", HERE / "vcpkg.cmake")
        use_by_cmake(tally, f"vcpkg, {linkage}", filled, root / "packages", root / "use")


def use_by_cmake(tally, what, filled, prefix, build):
    tally.run(f"{what}: is found", "cmake", "-G", "Ninja", "-S", filled / "conan/test_package", "-B", build,
              f"-DCMAKE_PREFIX_PATH={prefix}")
    tally.run(f"{what}: is linked", "cmake", "--build", build)
    tally.run(f"{what}: its program runs", build / "use")


def try_homebrew(tally, filled, work, archive):
    """The formula by a stand-in for its class: install, then its own test."""
    if have("ruby", "scdoc"):
        tally.run("Homebrew: installed and tested", "ruby", HERE / "formula.rb", filled / "shmx.rb", archive,
                  work / "brew")


def try_alpine(tally, filled, work, archive):
    """build and package of the APKBUILD by a stand-in for abuild, with musl where it is."""
    if have("scdoc"):
        tally.run("Alpine: built and packaged", "sh", HERE / "abuild", filled / "APKBUILD", archive,
                  work / "alpine")


def try_nix(tally, work):
    """The flake is read and its package asked for, with a stand-in for nixpkgs."""
    if not have("nix"):
        return
    tree = work / "nix" / "shmx"
    shutil.copytree(RECIPES / "nix", tree / "packaging/recipes/nix")
    shutil.copytree(HERE / "nixpkgs", work / "nix" / "nixpkgs")
    subprocess.run(["git", "init", "-q", tree], check=True)
    subprocess.run(["git", "-C", tree, "add", "-A"], check=True)
    tally.run("Nix: the flake is evaluated", "nix", "--store", work / "nix/store", "--offline",
              "--extra-experimental-features", "nix-command flakes", "eval", "--override-input", "nixpkgs",
              f"path:{work}/nix/nixpkgs", "--no-write-lock-file",
              f"git+file://{tree}?dir=packaging/recipes/nix#packages.x86_64-linux.default.pname")


def try_conan(tally, filled, archive):
    """No Conan: the checksum is that of the tarball."""
    said = re.findall(r'sha256: "(\w+)"', (filled / "conan/conandata.yml").read_text(encoding="utf-8"))
    tally.tell(said == [hashlib.sha256(archive.read_bytes()).hexdigest()], "Conan: the checksum")
    if have("conan"):
        tally.run("Conan: created and tested", "conan", "create", filled / "conan")


def try_all(tally, version, folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "served").mkdir(parents=True)
    archive = tarball(folder / "served", version)
    with served(folder / "served") as address:
        filled = folder / "filled"
        tally.run("filled", "packaging/fill", address, f"{address}/{archive.name}", archive, filled)
        left = [path for path in filled.rglob("*") if path.is_file() and re.search(r"@[A-Z0-9]+@", path.read_text())]
        tally.tell(left == [], f"nothing is left to fill {left or ''}")
        try_wrap(tally, filled, folder)
        try_vcpkg(tally, filled, folder)
        try_homebrew(tally, filled, folder, archive)
        try_alpine(tally, filled, folder, archive)
        try_nix(tally, folder)
        try_conan(tally, filled, archive)


def main():
    os.chdir(sys.argv[1])
    tally = Tally()
    version = re.search(r"version: '(.*?)'", pathlib.Path("meson.build").read_text(encoding="utf-8"))[1]
    check_versions(tally, version)
    check_forms(tally)
    if len(sys.argv) > 2:
        try_all(tally, version, pathlib.Path(sys.argv[2]).resolve())
    print(f"{tally.passed} passed, {tally.failed} failed")
    return tally.failed != 0


sys.exit(main())
