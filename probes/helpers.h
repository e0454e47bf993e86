/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * Helpers by number (include/uapi/linux/bpf.h): an old bcc does not name them.
 */
#ifndef SYSTRACE_HELPERS_H
#define SYSTRACE_HELPERS_H

/* bcc defines it to be another helper where it does not know the kernel (systrace/compiler.py) */
#undef bpf_probe_read_kernel

static struct task_struct *(*const current_btf)(void) = (void *)158; /* bpf_get_current_task_btf */
static void *(*const task_registers)(struct task_struct *) = (void *)175; /* bpf_task_pt_regs */

#endif
