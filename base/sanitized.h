/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_SANITIZED_H
#define DEEPPROXY_BASE_SANITIZED_H

/* IS_SANITIZED: is this a build with a sanitizer, which takes memory and system calls that the program does not? */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

#endif
