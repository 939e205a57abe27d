# Defines the targets, once, for the build tree and for an installation alike. The includer sets
#   statewright_include_dir      where statewright.h is
#   statewright_cpp_include_dir  where statewright/statewright.hpp is
#   statewright_shared           the shared library's file, or empty
#   statewright_soname           the name programs will look for
#   statewright_archive          the static library's file, or empty
find_package(Threads REQUIRED)

if(statewright_shared AND NOT TARGET statewright::statewright)
  add_library(statewright::statewright SHARED IMPORTED GLOBAL)
  set_target_properties(statewright::statewright PROPERTIES
    IMPORTED_LOCATION "${statewright_shared}"
    IMPORTED_SONAME "${statewright_soname}"
    INTERFACE_INCLUDE_DIRECTORIES "${statewright_include_dir}")
endif()

if(statewright_archive AND NOT TARGET statewright::statewright_static)
  add_library(statewright::statewright_static STATIC IMPORTED GLOBAL)
  set_target_properties(statewright::statewright_static PROPERTIES
    IMPORTED_LOCATION "${statewright_archive}"
    IMPORTED_LINK_INTERFACE_LANGUAGES C
    INTERFACE_COMPILE_DEFINITIONS SW_STATIC
    INTERFACE_INCLUDE_DIRECTORIES "${statewright_include_dir}")
  target_link_libraries(statewright::statewright_static INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)
  if(NOT APPLE)
    # Panics unwind, and Rust leaves that to the system's unwinder.
    target_link_libraries(statewright::statewright_static INTERFACE gcc_s)
  endif()
endif()

foreach(pair IN ITEMS "cpp;statewright" "cpp_static;statewright_static")
  list(GET pair 0 layer)
  list(GET pair 1 library)
  if(TARGET statewright::${library} AND NOT TARGET statewright::${layer})
    add_library(statewright::${layer} INTERFACE IMPORTED GLOBAL)
    set_target_properties(statewright::${layer} PROPERTIES
      INTERFACE_INCLUDE_DIRECTORIES "${statewright_cpp_include_dir}"
      INTERFACE_COMPILE_FEATURES cxx_std_17)
    target_link_libraries(statewright::${layer} INTERFACE statewright::${library} Threads::Threads)
  endif()
endforeach()
