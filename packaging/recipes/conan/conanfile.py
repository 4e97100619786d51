# SPDX-License-Identifier: MIT
"""shmx for Conan 2."""

import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, get, rmdir


class Shmx(ConanFile):
    name = "shmx"
    version = "0.1.0"
    description = "The same shared memory on every operating system"
    license = "MIT"
    homepage = "@HOME@"
    url = "@HOME@"
    topics = ("shared-memory", "ipc", "lock", "queue")
    package_type = "library"
    languages = "C"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]

    def layout(self):
        cmake_layout(self, src_folder="src")

    def source(self):
        get(self, **self.conan_data["sources"][self.version], strip_root=True)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["SHMX_INSTALL"] = True
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))  # Conan makes its own

    def package_info(self):
        self.cpp_info.libs = ["shmx"]
        self.cpp_info.set_property("cmake_file_name", "shmx")
        self.cpp_info.set_property("cmake_target_name", "shmx::shmx")
        self.cpp_info.set_property("pkg_config_name", "shmx")
        if self.settings.os == "Windows":
            self.cpp_info.system_libs = ["advapi32", "ntdll"]
        else:
            self.cpp_info.system_libs = ["pthread"]
        if self.settings.os == "Linux":
            self.cpp_info.system_libs.append("rt")
