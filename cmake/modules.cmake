# One static library per folder of src/, and one test program from the *_test.cc files beside the
# sources. A folder without sources yet becomes an interface library, so the tree always configures.

# Every kernel states its own order of operations. The compiler must not fuse a multiply and an add
# on its own: then a token's logits would depend on how a loop was compiled, and with it on how the
# tokens were cut into passes.
add_compile_options(-ffp-contract=off)
# Designated initializers leave out what has a default; that is their point.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                    -Wno-missing-field-initializers -Werror)
# Clang warns where it could not follow a pragma that gcc follows.
add_compile_options($<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
# std::string silences these three in its own code, which gcc forgets when it precompiles that.
add_compile_options("$<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>")
if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(CCACHE_PROGRAM ccache)
  if(CCACHE_PROGRAM)
    # Without these words it caches nothing that reads precompiled headers.
    set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros
        ${CCACHE_PROGRAM})
  endif()
endif()

if(KVASIR_SANITIZE)
  add_compile_definitions(_GLIBCXX_ASSERTIONS KVASIR_SANITIZED)
  add_compile_options(-fsanitize=${KVASIR_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KVASIR_SANITIZE})
endif()
# Checks too dear for a release (base/check.h).
if(KVASIR_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL Debug)
  add_compile_definitions(KVASIR_DCHECKS)
endif()
# The modules that read outside bytes: fuzzing looks for inputs that reach new branches of these.
set(KVASIR_PARSING_MODULES base checkpoint text grammar calibration store persist model plan server)
# The loops of these are most of what sanitized tests run.
set(KVASIR_LOOP_MODULES numeric kernels ops)
include_directories(${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)

# What nearly every file includes is parsed once, for the modules and for the tests. Only headers of
# the system stand here, so a change of ours rebuilds no more than it must; each file still includes
# what it uses, and lint, which reads the files without this, holds them to it.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/no_source.cc CONTENT "")
function(kvasir_headers name)
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/no_source.cc)
  target_precompile_headers(${name} PRIVATE
    <algorithm> <array> <bit> <cmath> <cstdint> <cstring> <filesystem> <fstream> <functional>
    <limits> <map> <memory> <optional> <random> <set> <span> <string> <string_view> <system_error>
    <utility> <vector> ${ARGN})
endfunction()
kvasir_headers(kvasir_headers)
if(GTest_FOUND)
  kvasir_headers(kvasir_test_headers <gtest/gtest.h>)
  target_link_libraries(kvasir_test_headers PRIVATE GTest::gtest)
endif()

# Where the compiler spends more time on making code fast than the code will ever run: tests, and
# the reading of options.
function(kvasir_little_optimized target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
endfunction()

# Folders named x86/ are for that processor; on others the portable loops run.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(KVASIR_IS_X86 ON)
endif()

# What the thread sanitizer has to see: the tests labelled `threads`.
add_custom_target(thread_tests)
set(KVASIR_MODULES_WITH_THREADS base store persist ops model engine server)

# Where tests find their data, and the program.
set(KVASIR_PLACES KVASIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                  KVASIR_BINARY="${CMAKE_BINARY_DIR}/kvasir")

# kvasir_test_library(name SOURCES files... USES libraries...): what several tests share.
function(kvasir_test_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_precompile_headers(${name} REUSE_FROM kvasir_headers)
  target_link_libraries(${name} PUBLIC ${ARG_USES})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE ${KVASIR_PLACES})
endfunction()

# kvasir_test(name SOURCES files... USES libraries... LABELS labels... COST seconds)
# Labels: `threads` runs under the thread sanitizer too; `not_asan` is too slow for the address
# sanitizer. The costliest are begun first, so that no core waits for them in the end.
function(kvasir_test name)
  cmake_parse_arguments(ARG "" "COST" "SOURCES;USES;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_precompile_headers(${name} REUSE_FROM kvasir_test_headers)
  kvasir_little_optimized(${name})
  target_link_libraries(${name} PRIVATE ${ARG_USES} kvasir_test_main)
  target_compile_definitions(${name} PRIVATE ${KVASIR_PLACES})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1200 LABELS "${ARG_LABELS}" COST "${ARG_COST}")
  if("threads" IN_LIST ARG_LABELS)
    add_dependencies(thread_tests ${name})
  endif()
  set(programs $<TARGET_FILE:${name}>)
  if("kvasir_cli_driver" IN_LIST ARG_USES)
    add_dependencies(${name} kvasir)
    list(APPEND programs $<TARGET_FILE:kvasir>)
  endif()
  # For ./kvasir.sh test quick: the programs that decide the outcome. What reads the source tree is
  # decided by any file of it.
  if(NOT "kvasir_source_tree" IN_LIST ARG_USES)
    file(GENERATE OUTPUT ${name}.programs CONTENT "$<JOIN:${programs},\n>\n")
  endif()
endfunction()

# kvasir_module(name USES libraries... PRIVATE_USES libraries...)
function(kvasir_module name)
  cmake_parse_arguments(ARG "" "" "USES;PRIVATE_USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  if(NOT KVASIR_IS_X86)
    list(FILTER sources EXCLUDE REGEX "/x86/")
  endif()
  set(test_sources ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER test_sources INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(kvasir_${name} STATIC ${sources})
    target_precompile_headers(kvasir_${name} REUSE_FROM kvasir_headers)
    target_link_libraries(kvasir_${name} PUBLIC ${ARG_USES} PRIVATE ${ARG_PRIVATE_USES})
    if(KVASIR_FUZZ AND name IN_LIST KVASIR_PARSING_MODULES)
      target_compile_options(kvasir_${name} PRIVATE
                             -fsanitize-coverage=inline-8bit-counters,pc-table,trace-cmp)
    endif()
    if(KVASIR_SANITIZE AND name IN_LIST KVASIR_LOOP_MODULES)
      target_compile_options(kvasir_${name} PRIVATE -O2)
    endif()
  else()
    add_library(kvasir_${name} INTERFACE)
    target_link_libraries(kvasir_${name} INTERFACE ${ARG_USES})
  endif()
  set_property(GLOBAL APPEND PROPERTY KVASIR_MODULES ${name})
  set_property(GLOBAL PROPERTY KVASIR_TEST_SOURCES_${name} ${test_sources})
endfunction()

# kvasir_embed(module file symbol): the bytes of a file as `extern const std::string_view` in
# namespace kvasir::embedded, for programs that must find it wherever they lie.
function(kvasir_embed module file symbol)
  set(KVASIR_EMBED_SYMBOL ${symbol})
  file(READ ${CMAKE_SOURCE_DIR}/${file} KVASIR_EMBED_TEXT)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${file})
  configure_file(${CMAKE_SOURCE_DIR}/cmake/embedded.cc.in ${CMAKE_BINARY_DIR}/embedded/${symbol}.cc
                 @ONLY)
  target_sources(kvasir_${module} PRIVATE ${CMAKE_BINARY_DIR}/embedded/${symbol}.cc)
endfunction()

# The unit tests that lie beside a module's sources, as one program per module.
function(kvasir_module_tests)
  get_property(modules GLOBAL PROPERTY KVASIR_MODULES)
  foreach(module ${modules})
    get_property(sources GLOBAL PROPERTY KVASIR_TEST_SOURCES_${module})
    if(NOT sources)
      continue()
    endif()
    set(labels unit)
    if(module IN_LIST KVASIR_MODULES_WITH_THREADS)
      list(APPEND labels threads)
    endif()
    kvasir_test(${module}_test SOURCES ${sources} USES kvasir_${module} LABELS ${labels})
  endforeach()
endfunction()

# Plain loops over all weights, which compilers turn into vectors at this level.
function(kvasir_vectorized_loops)
  foreach(file ${ARGN})
    set_source_files_properties(${CMAKE_SOURCE_DIR}/src/${file} PROPERTIES COMPILE_OPTIONS -O3)
  endforeach()
endfunction()

# Flags of the one file that holds an instruction set's kernels. Sanitized, these files are the
# longest to compile, and three checks of pointers are more than half of it. They stay out here: the
# address sanitizer reports a null or wild pointer where it is used.
function(kvasir_instruction_set file)
  set(options ${ARGN})
  if(KVASIR_SANITIZE MATCHES undefined)
    list(APPEND options -fno-sanitize=null,object-size,pointer-overflow)
  endif()
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/${file}
                              PROPERTIES COMPILE_OPTIONS "${options}" SKIP_PRECOMPILE_HEADERS ON)
endfunction()
