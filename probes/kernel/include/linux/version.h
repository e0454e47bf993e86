/* SPDX-License-Identifier: MIT
 * bcc's helpers.h compares the version. Our programs ask for features, never for a version,
 * and raw tracepoints do not check one.
 */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 15, 0)
