# vigil_add_fuzzer(NAME source... LIBS lib...): a libFuzzer target build/fuzz/bin/fuzz_NAME; its kept corpus is
# tests/fuzz/corpus/NAME. Does nothing unless VIGIL_FUZZ is on (preset `fuzz`, clang).
if(VIGIL_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "VIGIL_FUZZ needs clang (libFuzzer): run `./dev fuzz`, which picks it, or pass -DCMAKE_CXX_COMPILER=clang++-16.")
    endif()
    # Coverage in every object, the fuzzer's main only in the targets below.
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

function(vigil_add_fuzzer name)
    if(NOT VIGIL_FUZZ)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 1 FUZZ "" "" "LIBS")
    add_executable(fuzz_${name} ${FUZZ_UNPARSED_ARGUMENTS})
    target_link_libraries(fuzz_${name} PRIVATE ${FUZZ_LIBS} vigil_compile)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers fuzz_${name})
endfunction()

if(VIGIL_FUZZ)
    add_custom_target(fuzzers)
endif()
