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
# GCC 12 calls every coroutine of Asio's awaitable<> a mismatched new and delete: their operators take one any_io_executor type but come from one allocator.
target_compile_options(vigil_compile INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
if(VIGIL_TSAN)
  target_compile_options(vigil_compile INTERFACE -fsanitize=thread -fno-omit-frame-pointer $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  target_link_options(vigil_compile INTERFACE -fsanitize=thread)
endif()
if(VIGIL_SANITIZE)
  # GCC 12 reports false maybe-uninitialized warnings inside <regex> and std::function under ASan.
  # Without null, object-size and alignment: each is code at every member access. ASan stops at a null pointer with its stack; without optimisation the
  # compiler knows no object sizes; a wrong alignment takes a cast of bytes to an object, which tests/lint/banned.py forbids (memcpy does it), and the fuzz
  # targets check it all the same. Nor pointer-overflow but in the fuzz targets: what such a pointer then touches, ASan names. Measured: alignment alone was
  # a quarter of the compile time, pointer-overflow a tenth.
  target_compile_options(vigil_compile INTERFACE -fsanitize=address,undefined -fno-sanitize=null,object-size -fno-sanitize-recover=undefined
    $<$<NOT:$<BOOL:${VIGIL_FUZZ}>>:-fno-sanitize=alignment,pointer-overflow>
    -fno-omit-frame-pointer $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(vigil_compile INTERFACE -fsanitize=address,undefined)
  # Measured: a test program of the whole daemon links in 0.8 s with mold and in 6.5 s with GNU ld.
  find_program(VIGIL_MOLD mold)
  if(VIGIL_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_link_options(vigil_compile INTERFACE -fuse-ld=mold)
  endif()
endif()

# vigil_unity(TARGET): with VIGIL_UNITY the compiler reads a folder's sources in batches, so the heavy headers (json, Asio)
# are read once a batch and not once a source. A source must compile alone too: names in anonymous namespaces are unique in a folder.
function(vigil_unity target)
  if(VIGIL_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # In a batch GCC takes a source for a header, whose anonymous namespace would be a fault.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${VIGIL_UNITY} UNITY_BUILD_BATCH_SIZE ${VIGIL_UNITY_BATCH})
endfunction()

# vigil_library(NAME SOURCES a.cpp ... LINKS x y ...): one static library a folder. Where VIGIL_SHARED_SUFFIX is set, shared_x is shared_x with that suffix.
function(vigil_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  list(TRANSFORM arg_LINKS REPLACE "^shared_.*$" "\\0${VIGIL_SHARED_SUFFIX}")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC vigil_compile ${arg_LINKS})
  vigil_unity(${name})
endfunction()
