/* SPDX-License-Identifier: MIT
 * bcc's helpers.h includes <uapi/linux/if_ether.h>; our programs use nothing of it.
 */
