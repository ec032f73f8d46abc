# One static library per folder of src/, and one test program from the *_test.cc files beside the sources.

# Every kernel states its own order of operations, so the compiler must not fuse a multiply and an add on its own:
# design invariant 1 (same bits) hangs on -ffp-contract=off.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror -ffp-contract=off)
if(KVASIR_SANITIZE)
  add_compile_options(-fsanitize=${KVASIR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KVASIR_SANITIZE})
endif()
include_directories(${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)

function(kvasir_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_USES} GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE KVASIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             KVASIR_BINARY="$<TARGET_FILE:kvasir>")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1200)
endfunction()

function(kvasir_module name)
  cmake_parse_arguments(ARG "" "" "USES;PRIVATE_USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(test_sources ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER test_sources INCLUDE REGEX "_test\\.cc$")
  add_library(kvasir_${name} STATIC ${sources})
  target_link_libraries(kvasir_${name} PUBLIC ${ARG_USES} PRIVATE ${ARG_PRIVATE_USES})
  if(test_sources)
    list(APPEND KVASIR_TEST_MODULES ${name})
    set(KVASIR_TEST_MODULES ${KVASIR_TEST_MODULES} PARENT_SCOPE)
    set(KVASIR_TEST_SOURCES_${name} ${test_sources} PARENT_SCOPE)
  endif()
endfunction()

# Flags of the one file that holds an instruction set's kernels.
function(kvasir_instruction_set file flags)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/${file} PROPERTIES COMPILE_OPTIONS "${flags}")
endfunction()
