# vigil_test(FOLDER SOURCES a_test.cpp ... LINKS x y ...): the tests of one folder, a part of the Catch2 program PROGRAM (without it: a
# program of its own); each TEST_CASE becomes a CTest test with the label `unit` and a deadline of its own.
#
# A few large programs: the compiler reads Catch2 and json once a batch of sources, whichever folders these are of.
find_package(Catch2 3 REQUIRED)
include(Catch)

set(VIGIL_TEST_BATCH 16)

function(vigil_test folder)
    cmake_parse_arguments(arg "" "PROGRAM" "SOURCES;LINKS;DEFINITIONS;DEPENDS" ${ARGN})
    if(arg_PROGRAM)
        set(name ${arg_PROGRAM})
    else()
        set(name ${folder}_test)
    endif()
    list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    if(NOT TARGET ${name})
        vigil_test_program(${name})
    endif()
    target_sources(${name} PRIVATE ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_LINKS})
    target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
    if(arg_DEPENDS)
        add_dependencies(${name} ${arg_DEPENDS})
    endif()
endfunction()

function(vigil_test_program name)
    add_executable(${name})
    target_link_libraries(${name} PRIVATE vigil_compile Catch2::Catch2WithMain)
    vigil_unity(${name})
    set_target_properties(${name} PROPERTIES UNITY_BUILD_BATCH_SIZE ${VIGIL_TEST_BATCH})
    # A test names the members it is about; the others have defaults.
    target_compile_options(${name} PRIVATE -Wno-missing-field-initializers)
    # Listed when CTest runs, not when the program is linked: a test program that cannot start is a failed test, not a broken build.
    catch_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 120
        SKIP_RETURN_CODE 4 ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endfunction()
