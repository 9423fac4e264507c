/* SPDX-License-Identifier: Apache-2.0
 *
 * Which vector instructions the kernels of core/codec and readers/stats may use. Each kernel has a
 * portable path (SCALAR) and wider ones in files of their own, compiled for their instructions with
 * SLUICE_TARGET_*, chosen at run time by sluice_cpu_level(); all give the same bits.
 *
 * The level is the least of what the processor has, what the operating system saves on a switch of
 * threads, the environment's SLUICE_INSTRUCTIONS (auto, scalar, avx2, avx512) and the limit that
 * the program has set. Any thread; lock-free. A new limit holds for calls that begin after it. */
#ifndef SLUICE_CORE_CPU_H
#define SLUICE_CORE_CPU_H

#include <stdbool.h>

enum sluice_cpu_level {
    SLUICE_CPU_SCALAR,
    SLUICE_CPU_AVX2,   /* with BMI1, BMI2 and POPCNT */
    SLUICE_CPU_AVX512, /* F, BW, DQ, VL, VBMI, VBMI2, BITALG, VPOPCNTDQ and GFNI */
};
#define SLUICE_CPU_LEVEL_COUNT 3

/* Compiles one function for a level. Only where SLUICE_CPU_X86 is defined; a function that is
 * inlined into such a one needs the same target. */
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define SLUICE_CPU_X86     1
#define SLUICE_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define SLUICE_TARGET_AVX512                                                                       \
    __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,"    \
                          "avx512vbmi2,avx512bitalg,avx512vpopcntdq,gfni")))
#endif

/* The best level that may be used: one relaxed load after the first call. */
enum sluice_cpu_level sluice_cpu_level(void);

/* Allows nothing above `level` from now on (SLUICE_CPU_AVX512: no limit); the answer is the level
 * in force, which is lower where the processor or SLUICE_INSTRUCTIONS has less. */
enum sluice_cpu_level sluice_cpu_limit(enum sluice_cpu_level level);

/* Nothing that the processor has is above the level in force, so that code of others, which chooses
 * among all of it by itself, may be called. Of AVX-512 its foundation (F) is enough here. */
bool sluice_cpu_all_allowed(void);

/* "scalar", "avx2", "avx512". */
const char *sluice_cpu_level_name(enum sluice_cpu_level level);
/* The other way, "auto" being the highest; false (and *level as it was) for any other word. */
bool sluice_cpu_level_from_name(const char *name, enum sluice_cpu_level *level);

#endif
