/* A kernel module of one function that imports at most one symbol. How large `struct module` is and where its init pointer stands is taken from a
   module of the same kernel (lab/native.py), so no kernel headers are needed; without versions of symbols the kernel takes it by force and is tainted. */
    .section .modinfo, "a"
    .asciz "license=GPL"
    .asciz "name=" MODULE
    .asciz "retpoline=Y"
    .asciz VERMAGIC
    .asciz "depends="

    .section .text, "ax"
    .globl init_module
    .type init_module, @function
init_module:
    endbr64
#if FAULT == 1                  /* a write to address 0: an oops that the kernel survives */
    xorl %eax, %eax
    movl $1, (%rax)
#elif FAULT == 2                /* a processor that is kept: soft lockup */
    jmp .
#elif FAULT == 3                /* a processor that is kept with interrupts off: the guest is frozen */
    cli
    jmp .
#elif FAULT == 4                /* an uninterruptible sleep: hung task */
    movl $600000, %edi
    call msleep
#elif FAULT == 5                /* BUG() */
    ud2
#endif
    xorl %eax, %eax
    ret
    .size init_module, . - init_module

    .section .gnu.linkonce.this_module, "aw"
    .globl __this_module
__this_module:
    .zero 24
    .asciz MODULE
    .org INIT_AT
    .quad init_module
    .org MODULE_BYTES

    .section .note.GNU-stack, "", @progbits
