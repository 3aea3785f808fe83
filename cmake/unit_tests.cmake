# vigil_test(NAME SOURCES a_test.cpp ... LINKS x y ...): one Catch2 program; each TEST_CASE becomes a CTest test with the
# label `unit` and a deadline of its own.
find_package(Catch2 3 REQUIRED)
include(Catch)

function(vigil_test name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_LINKS} vigil_compile Catch2::Catch2WithMain)
    vigil_unity(${name})
    # A test names the members it is about; the others have defaults.
    target_compile_options(${name} PRIVATE -Wno-missing-field-initializers)
    # Listed when CTest runs, not when the program is linked: a test program that cannot start is a failed test, not a broken build.
    catch_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 120
        SKIP_RETURN_CODE 4 ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endfunction()
