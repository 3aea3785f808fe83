# vigil_add_fuzzer(NAME source... LIBS lib...): a target for bytes that nobody promised; its kept corpus is tests/fuzz/corpus/NAME.
# With VIGIL_FUZZ (preset `fuzz`, clang) it is a libFuzzer program build/fuzz/bin/fuzz_NAME. In a test build with sanitizers it is a test `fuzz.NAME`:
# the kept inputs and a fixed number of mutations of them, by tests/fuzz/replay.cpp.
if(VIGIL_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "VIGIL_FUZZ needs clang (libFuzzer): run `./dev fuzz`, which picks it, or pass -DCMAKE_CXX_COMPILER=clang++-16.")
    endif()
    # Coverage in every object, the fuzzer's main only in the targets below.
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_custom_target(fuzzers)
endif()
set(VIGIL_FUZZ_MUTATIONS 10000 CACHE STRING "mutations of the kept inputs that each test fuzz.NAME runs")

function(vigil_add_fuzzer name)
    cmake_parse_arguments(PARSE_ARGV 1 FUZZ "" "" "LIBS")
    if(NOT VIGIL_FUZZ AND NOT TARGET fuzz_replay)
        add_library(fuzz_replay OBJECT ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cpp)
        target_link_libraries(fuzz_replay PRIVATE vigil_compile)
    endif()
    add_executable(fuzz_${name} ${FUZZ_UNPARSED_ARGUMENTS})
    target_link_libraries(fuzz_${name} PRIVATE ${FUZZ_LIBS} vigil_compile)
    if(VIGIL_FUZZ)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        add_dependencies(fuzzers fuzz_${name})
        return()
    endif()
    target_sources(fuzz_${name} PRIVATE $<TARGET_OBJECTS:fuzz_replay>)
    add_test(NAME fuzz.${name}
        COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name} ${VIGIL_FUZZ_MUTATIONS} ${PROJECT_SOURCE_DIR}/build/fuzz/found/${name}-replayed)
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()
