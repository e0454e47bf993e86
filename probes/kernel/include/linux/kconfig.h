/* SPDX-License-Identifier: MIT
 * Stand-in for a kernel source tree: what bcc's own headers ask of one, and no more.
 * bcc includes this file first, before anything else.
 */
#ifndef SYSTRACE_KCONFIG_H
#define SYSTRACE_KCONFIG_H
#define CONFIG_BPF_SYSCALL 1
#endif
