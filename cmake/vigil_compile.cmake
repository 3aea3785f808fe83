# How every target of the project is compiled: one interface target for warnings and sanitizers, one function a library.

add_library(vigil_compile INTERFACE)
target_include_directories(vigil_compile INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(vigil_compile INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum -Wnon-virtual-dtor -Woverloaded-virtual
  -ffunction-sections -fdata-sections)
target_compile_definitions(vigil_compile INTERFACE _GLIBCXX_ASSERTIONS VIGIL_VERSION="${PROJECT_VERSION}")
if(VIGIL_WERROR)
  target_compile_options(vigil_compile INTERFACE -Werror)
endif()
if(VIGIL_SANITIZE)
  # GCC 12 reports false maybe-uninitialized warnings inside <regex> and std::function under ASan.
  target_compile_options(vigil_compile INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(vigil_compile INTERFACE -fsanitize=address,undefined)
endif()

# vigil_library(NAME SOURCES a.cpp ... LINKS x y ...): one static library a folder.
function(vigil_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC vigil_compile ${arg_LINKS})
endfunction()
