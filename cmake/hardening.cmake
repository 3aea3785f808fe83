# Stack protection always; fortified libc calls and full RELRO in release builds. (libstdc++'s assertions: vigil_compile.)
add_compile_options(-fstack-protector-strong
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
add_link_options($<$<CONFIG:Release>:-Wl,-z,relro,-z,now>)
