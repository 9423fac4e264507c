# SPDX-License-Identifier: Apache-2.0
# The libraries Sluice stands on, all from Debian 12 by name. What only tests and benchmarks need
# is looked for but never required (see SLUICE_TESTS).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(sluice_need target module package)
    pkg_check_modules(${target} QUIET IMPORTED_TARGET ${module})
    if(NOT ${target}_FOUND)
        message(FATAL_ERROR "${module} not found: apt-get install ${package} (or run scripts/setup)")
    endif()
    add_library(ext_${target} INTERFACE)
    target_link_libraries(ext_${target} INTERFACE PkgConfig::${target})
endfunction()

sluice_need(zmq libzmq libzmq3-dev)
sluice_need(lz4 liblz4 liblz4-dev)
sluice_need(xxhash libxxhash libxxhash-dev)
# Where it has its kernels for wider instructions (Debian's has), we ask for them.
include(CheckSymbolExists)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::xxhash)
check_symbol_exists(XXH3_64bits_dispatch "xxhash.h;xxh_x86dispatch.h" SLUICE_XXHASH_DISPATCHES)
unset(CMAKE_REQUIRED_LIBRARIES)
target_compile_definitions(ext_xxhash INTERFACE
    SLUICE_XXHASH_DISPATCHES=$<BOOL:${SLUICE_XXHASH_DISPATCHES}>)
sluice_need(cbor libcbor libcbor-dev)
sluice_need(yaml yaml-0.1 libyaml-dev)
sluice_need(jansson jansson libjansson-dev)
sluice_need(uring liburing liburing-dev)
sluice_need(microhttpd libmicrohttpd libmicrohttpd-dev)

# Debian keeps the serial HDF5 beside the MPI ones under a name of its own.
pkg_search_module(hdf5 QUIET IMPORTED_TARGET hdf5-serial hdf5)
if(NOT hdf5_FOUND)
    message(FATAL_ERROR "HDF5 not found: apt-get install libhdf5-dev (or run scripts/setup)")
endif()
add_library(ext_hdf5 INTERFACE)
target_link_libraries(ext_hdf5 INTERFACE PkgConfig::hdf5)

pkg_check_modules(cmocka QUIET IMPORTED_TARGET cmocka)
if(SLUICE_TESTS STREQUAL "AUTO")
    set(SLUICE_TESTS ${cmocka_FOUND})
elseif(SLUICE_TESTS AND NOT cmocka_FOUND)
    message(FATAL_ERROR "cmocka not found: apt-get install libcmocka-dev, or -DSLUICE_TESTS=OFF")
endif()
