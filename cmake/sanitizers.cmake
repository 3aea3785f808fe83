# VIGIL_SANITIZE: list for -fsanitize= ("address,undefined", "thread"), empty for none. Applies to every target of the tree:
# a mix of instrumented and plain objects gives false container-overflow reports.
set(VIGIL_SANITIZE "" CACHE STRING "Sanitizers, comma separated")
if(VIGIL_SANITIZE)
    add_compile_options(-fsanitize=${VIGIL_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${VIGIL_SANITIZE})
    if(VIGIL_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
endif()
