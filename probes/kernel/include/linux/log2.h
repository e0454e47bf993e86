/* SPDX-License-Identifier: MIT
 * bcc's helpers.h includes <linux/log2.h>; our programs use nothing of it.
 */
