/* SPDX-License-Identifier: MIT
 * bcc's copy of <uapi/linux/bpf.h> includes <linux/bpf_common.h>; our programs use nothing of it.
 */
