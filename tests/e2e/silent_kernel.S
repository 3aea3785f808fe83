/* A kernel that boots by PVH, prints nothing and does nothing: what a VM with a dead kernel looks like from outside. */
        .section .note.Xen, "a", @note
        .align 4
        .long 4, 4, 18                  /* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz "Xen"
        .long entry
        .section .text
        .code32
        .globl entry
entry:  cli
1:      hlt
        jmp 1b
