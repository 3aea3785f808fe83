# ccache when it is there and nobody chose a launcher. The sloppiness is what ccache needs to cache files that use a
# precompiled header (its manual, "Precompiled headers").
if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(VIGIL_CCACHE ccache)
    if(VIGIL_CCACHE)
        set(CMAKE_CXX_COMPILER_LAUNCHER
            ${CMAKE_COMMAND} -E env
            CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
            ${VIGIL_CCACHE})
        add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
    endif()
endif()
