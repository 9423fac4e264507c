# SPDX-License-Identifier: Apache-2.0
# What is installed beside the program: systemd units, the service's user, examples; and the Debian
# package of it all:   cpack -G DEB
#
# Component `runtime` is the package sluice, `development` (where a room installs any of it) the
# package libsluice-follow-dev.
set(package ${CMAKE_SOURCE_DIR}/cmake/package)
set(package_build ${CMAKE_BINARY_DIR}/package)
set(CPACK_PACKAGE_CONTACT "The Sluice developers <sluice@localhost>" CACHE STRING
    "Who maintains the package: NAME <ADDRESS>")

# systemd looks for a program without a path in /usr/local/bin and /usr/bin, so units are right in
# the package as after an installation by hand.
set(UNIT_PROGRAM sluice)
if(NOT CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?$")
    set(UNIT_PROGRAM ${CMAKE_INSTALL_FULL_BINDIR}/sluice)
endif()
set(UNIT_CONFIG sluice)
set(UNIT_NAME sluice)
configure_file(${package}/unit.in ${package_build}/sluice.service @ONLY)
set(UNIT_CONFIG %i)
set(UNIT_NAME sluice@NAME)
set(UNIT_WHAT ", one of several: systemctl enable --now sluice@NAME")
set(UNIT_DESCRIPTION " (%i)")
set(UNIT_ARGUMENTS " --set instance.name=%i")
configure_file(${package}/unit.in ${package_build}/sluice@.service @ONLY)

# Manual pages and the changelog are compressed, as Debian wants them and man reads them.
find_program(GZIP_PROGRAM gzip REQUIRED)
file(GLOB man_pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.1)
configure_file(${package}/changelog.in ${package_build}/changelog @ONLY)
set(compressed)
foreach(page IN ITEMS ${man_pages} ${package_build}/changelog)
    get_filename_component(name ${page} NAME)
    add_custom_command(OUTPUT ${package_build}/${name}.gz
        COMMAND ${GZIP_PROGRAM} -9nc ${page} > ${package_build}/${name}.gz
        DEPENDS ${page} VERBATIM)
    list(APPEND compressed ${package_build}/${name}.gz)
endforeach()
add_custom_target(compressed ALL DEPENDS ${compressed})
list(FILTER compressed EXCLUDE REGEX changelog)
install(FILES ${compressed} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)

install(FILES ${package_build}/sluice.service ${package_build}/sluice@.service
        DESTINATION lib/systemd/system COMPONENT runtime)
install(FILES ${package}/sysusers.conf DESTINATION lib/sysusers.d RENAME sluice.conf
        COMPONENT runtime)
install(FILES ${package}/copyright ${package_build}/changelog.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sluice
        COMPONENT runtime)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sluice
        COMPONENT licence) # Debian has it in /usr/share/common-licenses
install(FILES ${CMAKE_SOURCE_DIR}/config/sluice.yaml
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sluice/examples COMPONENT runtime)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_VENDOR "The Sluice developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "detector frames from ZeroMQ to growing HDF5 files")
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "\
Sluice takes the image stream of an X-ray or electron detector from ZeroMQ,
writes it to HDF5 files that can be read while they grow (SWMR), with NXmx
masters, and computes live statistics from those files in processes of their
own.
.
This package has the program, its systemd units, manual pages, an example
configuration and shell completion.")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL runtime)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME sluice)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION science)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS "hdf5-filter-plugin, bitshuffle")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA 
    "${package}/postinst;${package}/prerm;${package}/triggers")
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

get_cmake_property(components COMPONENTS) # of every install() so far
if("development" IN_LIST components)
    install(FILES ${package}/copyright ${package_build}/changelog.gz
            DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libsluice-follow-dev COMPONENT development)
    list(APPEND CPACK_COMPONENTS_ALL development)
    set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libsluice-follow-dev)
    set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
    set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "sluice (= ${PROJECT_VERSION})")
    set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "\
What programs need that follow a series of Sluice while it is written:
header, pkg-config file, CMake package and an example for libsluice-follow,
which is in the package sluice.")
endif()
include(CPack)
