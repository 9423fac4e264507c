/* SPDX-License-Identifier: Apache-2.0
 *
 * C11 atomics with the order in the name. Orders stand on operations, never on free fences, which
 * ThreadSanitizer cannot follow. Every acquire and release in the project carries the label of its
 * edge in a comment, and the same label stands at the other end. */
#ifndef SLUICE_CORE_ATOMICS_H
#define SLUICE_CORE_ATOMICS_H

#include <stdatomic.h>
#include <stdint.h>

/* Two lines of 64 bytes: the hardware fetches them in pairs. */
#define SLUICE_CACHE_LINE 128

#define sluice_load_relaxed(p)     atomic_load_explicit((p), memory_order_relaxed)
#define sluice_load_acquire(p)     atomic_load_explicit((p), memory_order_acquire)
#define sluice_store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define sluice_store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define sluice_add_relaxed(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define sluice_add_acq_rel(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define sluice_or_acq_rel(p, v)    atomic_fetch_or_explicit((p), (v), memory_order_acq_rel)
#define sluice_and_acq_rel(p, v)   atomic_fetch_and_explicit((p), (v), memory_order_acq_rel)

/* Tells the processor that this is a spin loop. */
static inline void sluice_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
