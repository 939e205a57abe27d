# Where the library is: in STATEWRIGHT_PREFIX, or in the build folder, made by cargo.

# Before 1.0 the minor version is part of the ABI, and so of the soname; ffi/artifact/build.rs says the same.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(statewright_abi "0.${PROJECT_VERSION_MINOR}")
else()
  set(statewright_abi "${PROJECT_VERSION_MAJOR}")
endif()

set(statewright_cpp_include_dir "${PROJECT_SOURCE_DIR}/bindings/cpp/include")
set(plain_name "libstatewright${CMAKE_SHARED_LIBRARY_SUFFIX}")
if(APPLE)
  set(statewright_soname "${plain_name}")
else()
  set(statewright_soname "${plain_name}.${statewright_abi}")
endif()

if(STATEWRIGHT_PREFIX)
  set(statewright_include_dir "${STATEWRIGHT_PREFIX}/include")
  set(statewright_shared "${STATEWRIGHT_PREFIX}/lib/${plain_name}")
  set(statewright_archive "${STATEWRIGHT_PREFIX}/lib/libstatewright.a")
  foreach(file IN ITEMS "${statewright_include_dir}/statewright.h" "${statewright_shared}" "${statewright_archive}")
    if(NOT EXISTS "${file}")
      message(FATAL_ERROR "statewright: ${file} is not there; run `cargo xtask lib` and pass the folder it prints as "
                          "STATEWRIGHT_PREFIX")
    endif()
  endforeach()
  file(REAL_PATH "${statewright_shared}" statewright_shared)
else()
  find_program(STATEWRIGHT_CARGO cargo HINTS "$ENV{HOME}/.cargo/bin"
               DOC "Rust's build tool, to build the library if STATEWRIGHT_PREFIX is not given")
  if(NOT STATEWRIGHT_CARGO)
    message(FATAL_ERROR "statewright: cargo is missing; install Rust from https://rustup.rs, or pass STATEWRIGHT_PREFIX, "
                        "the folder of a built library")
  endif()
  set(statewright_include_dir "${PROJECT_SOURCE_DIR}/include")
  set(STATEWRIGHT_CARGO_TARGET_DIR "${PROJECT_BINARY_DIR}/cargo" CACHE PATH
      "Where cargo builds; name a target folder that is there already to build less")
  set(library_dir "${PROJECT_BINARY_DIR}/lib")
  set(statewright_shared "${library_dir}/${statewright_soname}")
  set(statewright_archive "${library_dir}/libstatewright.a")
  # Cargo knows what is out of date; what it made is copied only if it differs, so nothing is linked again for nothing.
  add_custom_target(statewright_cargo ALL
    COMMAND "${STATEWRIGHT_CARGO}" build --quiet --locked --release --package statewright-capi
            --target-dir "${STATEWRIGHT_CARGO_TARGET_DIR}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${library_dir}"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${STATEWRIGHT_CARGO_TARGET_DIR}/release/${plain_name}" "${statewright_shared}"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${STATEWRIGHT_CARGO_TARGET_DIR}/release/libstatewright.a" "${statewright_archive}"
    BYPRODUCTS "${statewright_shared}" "${statewright_archive}"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    COMMENT "Building libstatewright with cargo (release)"
    USES_TERMINAL VERBATIM)
endif()

include("${CMAKE_CURRENT_LIST_DIR}/targets.cmake")

if(NOT STATEWRIGHT_PREFIX)
  add_dependencies(statewright::statewright statewright_cargo)
  add_dependencies(statewright::statewright_static statewright_cargo)
endif()
