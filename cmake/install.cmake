# An install tree that can be moved: headers, libraries with their links, package files of CMake and pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(FILES "${statewright_include_dir}/statewright.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${statewright_cpp_include_dir}/statewright" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp")

# libstatewright.so -> libstatewright.so.0.1 -> libstatewright.so.0.1.0
set(real_name "${plain_name}")
if(NOT APPLE)
  set(real_name "${plain_name}.${PROJECT_VERSION}")
  set(links_dir "${PROJECT_BINARY_DIR}/links")
  file(MAKE_DIRECTORY "${links_dir}")
  file(CREATE_LINK "${real_name}" "${links_dir}/${statewright_soname}" SYMBOLIC)
  file(CREATE_LINK "${statewright_soname}" "${links_dir}/${plain_name}" SYMBOLIC)
  install(FILES "${links_dir}/${statewright_soname}" "${links_dir}/${plain_name}"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
install(PROGRAMS "${statewright_shared}" DESTINATION "${CMAKE_INSTALL_LIBDIR}" RENAME "${real_name}")
install(FILES "${statewright_archive}" DESTINATION "${CMAKE_INSTALL_LIBDIR}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/statewrightConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/statewrightConfig.cmake"
  INSTALL_DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/statewright"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${PROJECT_BINARY_DIR}/statewrightConfigVersion.cmake" COMPATIBILITY ${compatibility})
install(FILES "${PROJECT_BINARY_DIR}/statewrightConfig.cmake" "${PROJECT_BINARY_DIR}/statewrightConfigVersion.cmake"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/statewright")
install(FILES "${CMAKE_CURRENT_LIST_DIR}/targets.cmake" DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/statewright"
        RENAME statewrightTargets.cmake)

# From the .pc file's own folder, so that the tree can be moved.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(pc_prefix "\${pcfiledir}/${up}")
endif()
foreach(dir IN ITEMS LIBDIR INCLUDEDIR)
  cmake_path(APPEND pc_${dir} "\${prefix}" "${CMAKE_INSTALL_${dir}}")
endforeach()
configure_file("${CMAKE_CURRENT_LIST_DIR}/statewright.pc.in" "${PROJECT_BINARY_DIR}/statewright.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/statewright.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
