/* SPDX-License-Identifier: MIT
 * bcc carries a copy of the kernel's <uapi/linux/bpf.h> that fits its own helpers.h.
 */
#include <linux/types.h>
#include <bcc/bpf.h>
