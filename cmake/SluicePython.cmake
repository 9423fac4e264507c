# SPDX-License-Identifier: Apache-2.0
# SLUICE_PYTHON: an interpreter for the tests that read our files with other people's software. It
# has to import h5py, hdf5plugin and numpy; Debian's own /usr/bin/python3 is asked first, since a
# `python3` earlier in PATH often lacks them. NOTFOUND when there is none: such tests still run and
# skip visibly (they exit with 77), see sluice_python_test().
if(NOT SLUICE_PYTHON)
    foreach(candidate IN ITEMS /usr/bin/python3 python3 python)
        find_program(sluice_python_found NAMES ${candidate} NO_CACHE)
        if(sluice_python_found)
            execute_process(COMMAND ${sluice_python_found} -c "import h5py, hdf5plugin, numpy"
                RESULT_VARIABLE sluice_python_result OUTPUT_QUIET ERROR_QUIET)
            if(sluice_python_result EQUAL 0)
                set(SLUICE_PYTHON ${sluice_python_found} CACHE FILEPATH
                    "Python with h5py, hdf5plugin and numpy, for the interoperability tests")
                break()
            endif()
        endif()
        unset(sluice_python_found)
    endforeach()
endif()
if(NOT SLUICE_PYTHON)
    # Any Python will do to say what is missing.
    find_program(SLUICE_PYTHON NAMES /usr/bin/python3 python3
        DOC "Python with h5py, hdf5plugin and numpy, for the interoperability tests")
    message(STATUS "No Python with h5py and hdf5plugin: interoperability tests will skip")
endif()

# sluice_python_test(NAME SCRIPT file.py [ARGS ...] [LABELS ...] [TIMEOUT s])
# A test that is a Python script; exit status 77 means that it was skipped.
function(sluice_python_test name)
    cmake_parse_arguments(T "" "TIMEOUT;SCRIPT" "ARGS;LABELS" ${ARGN})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    if(SLUICE_PYTHON)
        add_test(NAME ${name}
            COMMAND ${SLUICE_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/${T_SCRIPT} ${T_ARGS})
    else()
        add_test(NAME ${name} COMMAND sh -c "echo 'no Python was found'; exit 77")
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}"
        SKIP_RETURN_CODE 77 ENVIRONMENT "SLUICE_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()
