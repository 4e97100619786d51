# A stand-in for vcpkg, as far as our port needs it:
#   cmake -DPORT_DIR=... -DROOT=... -DVCPKG_LIBRARY_LINKAGE=static|dynamic -P vcpkg.cmake
cmake_minimum_required(VERSION 3.19)
file(READ "${PORT_DIR}/vcpkg.json" manifest)
string(JSON PORT GET "${manifest}" name)
string(JSON VERSION GET "${manifest}" version)
set(CURRENT_PACKAGES_DIR "${ROOT}/packages")

function(must)
    execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_QUIET)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "failed: ${ARGV}")
    endif()
endfunction()

function(vcpkg_download_distfile result)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "FILENAME;SHA512" "URLS")
    file(DOWNLOAD "${arg_URLS}" "${ROOT}/${arg_FILENAME}" EXPECTED_HASH SHA512=${arg_SHA512})
    set(${result} "${ROOT}/${arg_FILENAME}" PARENT_SCOPE)
endfunction()

function(vcpkg_extract_source_archive result)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "ARCHIVE" "")
    file(ARCHIVE_EXTRACT INPUT "${arg_ARCHIVE}" DESTINATION "${ROOT}/source")
    file(GLOB folder "${ROOT}/source/*")
    set(${result} "${folder}" PARENT_SCOPE)
endfunction()

# One folder for release, one for debug, as there.
function(vcpkg_cmake_configure)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
    string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" dynamic shared)
    foreach(pair "Release;" "Debug;/debug")
        list(GET pair 0 kind)
        list(GET pair 1 below)
        must(cmake -G Ninja -S "${arg_SOURCE_PATH}" -B "${ROOT}/build-${kind}" ${arg_OPTIONS}
            -DCMAKE_BUILD_TYPE=${kind} -DBUILD_SHARED_LIBS=${shared} -DCMAKE_INSTALL_LIBDIR=lib
            "-DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR}${below}")
    endforeach()
endfunction()

function(vcpkg_cmake_install)
    foreach(kind Release Debug)
        must(cmake --build "${ROOT}/build-${kind}" --target install)
    endforeach()
endfunction()

# Moving is what we stand in for; vcpkg's own also merges the two kinds.
function(vcpkg_cmake_config_fixup)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "CONFIG_PATH" "")
    if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/${PORT}-config.cmake")
        message(FATAL_ERROR "no ${PORT}-config.cmake in ${arg_CONFIG_PATH}")
    endif()
    file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/${arg_CONFIG_PATH}")
endfunction()

function(vcpkg_install_copyright)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
    configure_file("${arg_FILE_LIST}" "${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright" COPYONLY)
endfunction()

include("${PORT_DIR}/portfile.cmake")
if(EXISTS "${CURRENT_PACKAGES_DIR}/debug/include")
    message(FATAL_ERROR "headers twice")
endif()
