# vigil_warnings: the one set of warnings of every target of ours. VIGIL_WERROR makes them errors (dev preset, CI).
option(VIGIL_WERROR "Warnings are errors" OFF)

add_library(vigil_warnings INTERFACE)
target_compile_options(vigil_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(vigil_warnings INTERFACE -Wnull-dereference)
endif()
if(VIGIL_WERROR)
    target_compile_options(vigil_warnings INTERFACE -Werror)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # GCC 12 reports these falsely inside <regex>, <functional> and Boost when the sanitizers rewrite the code.
        target_compile_options(vigil_warnings INTERFACE
            -Wno-error=maybe-uninitialized -Wno-error=null-dereference -Wno-error=dangling-pointer
            -Wno-error=array-bounds -Wno-error=stringop-overflow -Wno-error=restrict)
    endif()
endif()
