# SPDX-License-Identifier: Apache-2.0
# How every target is built: language level, warnings, sanitizers, output folder, and the one
# function that makes a room.
include(GNUInstallDirs)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

add_library(sluice_flags INTERFACE)
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE)
target_include_directories(sluice_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(sluice_flags INTERFACE
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual
    -Wwrite-strings -Wundef -Wformat=2 -Wvla -fno-common)
if(SLUICE_WERROR)
    target_compile_options(sluice_flags INTERFACE -Werror)
endif()
if(SLUICE_SANITIZE)
    target_compile_options(sluice_flags INTERFACE
        -fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE})
endif()
if(SLUICE_SANITIZE MATCHES thread) # every program says itself what libzmq has unreported
    target_sources(sluice_flags INTERFACE
        $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:${CMAKE_SOURCE_DIR}/tests/support/tsan_suppressions.c>)
endif()
if(SLUICE_FUZZ) # the libraries under the fuzz targets tell libFuzzer where they have been
    target_compile_options(sluice_flags INTERFACE
        -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
    target_link_options(sluice_flags INTERFACE -fsanitize=address,undefined)
endif()

# sluice_room(NAME SOURCES a.c... [SEES room...] [USES imported...])
# A static library sluice_NAME. SEES names the rooms whose headers it may include, USES its
# external libraries; both are linked, and nothing else is.
function(sluice_room name)
    cmake_parse_arguments(R "" "" "SOURCES;SEES;USES" ${ARGN})
    add_library(sluice_${name} STATIC ${R_SOURCES})
    target_link_libraries(sluice_${name} PUBLIC sluice_flags)
    foreach(room IN LISTS R_SEES)
        target_link_libraries(sluice_${name} PUBLIC sluice_${room})
    endforeach()
    target_link_libraries(sluice_${name} PRIVATE ${R_USES})
endfunction()
