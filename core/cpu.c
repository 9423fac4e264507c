/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: two small numbers, what is there and what is allowed. The first is found once (several
 * threads may find it at the same time: they find the same). The compiler's __builtin_cpu_supports
 * asks cpuid and, for the wide registers, xgetbv whether the operating system saves them. A word
 * in SLUICE_INSTRUCTIONS that is none of ours allows everything; `sluice` refuses to start with
 * it. */
#include "core/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "core/atomics.h"

#define UNKNOWN (-1)

static _Atomic int available = UNKNOWN;
static _Atomic int allowed = SLUICE_CPU_AVX512;
static _Atomic int highest = UNKNOWN; /* that must be allowed for all to be */

static const char *const names[SLUICE_CPU_LEVEL_COUNT] = {"scalar", "avx2", "avx512"};

static enum sluice_cpu_level detect(void)
{
#if defined(SLUICE_CPU_X86)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
        return SLUICE_CPU_SCALAR;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
        __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512vpopcntdq") &&
        __builtin_cpu_supports("gfni"))
        return SLUICE_CPU_AVX512;
    return SLUICE_CPU_AVX2;
#else
    return SLUICE_CPU_SCALAR;
#endif
}

static enum sluice_cpu_level environment(void)
{
    const char *text = getenv("SLUICE_INSTRUCTIONS");
    enum sluice_cpu_level level = SLUICE_CPU_AVX512;

    if (text)
        (void)sluice_cpu_level_from_name(text, &level);
    return level;
}

static int find(void)
{
    enum sluice_cpu_level level = detect(), limit = environment();

    if (limit < level)
        level = limit;
    sluice_store_relaxed(&available, (int)level);
    return (int)level;
}

static int find_highest(void)
{
    int level = SLUICE_CPU_SCALAR;

#if defined(SLUICE_CPU_X86)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        level = SLUICE_CPU_AVX512;
    else if (__builtin_cpu_supports("avx2"))
        level = SLUICE_CPU_AVX2;
#endif
    if ((int)environment() < level)
        level = SLUICE_CPU_LEVEL_COUNT; /* whatever the program allows */
    sluice_store_relaxed(&highest, level);
    return level;
}

enum sluice_cpu_level sluice_cpu_level(void)
{
    int level = sluice_load_relaxed(&available), limit = sluice_load_relaxed(&allowed);

    if (level == UNKNOWN)
        level = find();
    return (enum sluice_cpu_level)(level < limit ? level : limit);
}

enum sluice_cpu_level sluice_cpu_limit(enum sluice_cpu_level level)
{
    sluice_store_relaxed(&allowed, (int)level);
    return sluice_cpu_level();
}

bool sluice_cpu_all_allowed(void)
{
    int level = sluice_load_relaxed(&highest);

    if (level == UNKNOWN)
        level = find_highest();
    return sluice_load_relaxed(&allowed) >= level;
}

const char *sluice_cpu_level_name(enum sluice_cpu_level level)
{
    return names[level];
}

bool sluice_cpu_level_from_name(const char *name, enum sluice_cpu_level *level)
{
    if (strcmp(name, "auto") == 0) {
        *level = SLUICE_CPU_AVX512;
        return true;
    }
    for (int i = 0; i < SLUICE_CPU_LEVEL_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *level = (enum sluice_cpu_level)i;
            return true;
        }
    }
    return false;
}
