/* SPDX-License-Identifier: Apache-2.0
 *
 * The bit transpose for whoever needs it: the widest kernel that may be used, then the plain one
 * for what is less than a group of it. */
#include "core/codec/transpose.h"
#include "core/codec/codec.h"

void sluice_bitshuffle_low(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes,
                           size_t low_bytes)
{
    size_t done = 0;

#if defined(SLUICE_CPU_X86)
    enum sluice_cpu_level level = sluice_cpu_level();

    if (level == SLUICE_CPU_AVX512)
        done = sluice_transpose_avx512(out, in, count, element_bytes, low_bytes);
    else if (level == SLUICE_CPU_AVX2)
        done = sluice_transpose_avx2(out, in, count, element_bytes, low_bytes);
#endif
    if (done < count)
        sluice_transpose_scalar(out, in, done, count, element_bytes, low_bytes);
}

void sluice_bitshuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes)
{
    sluice_bitshuffle_low(out, in, count, element_bytes, element_bytes);
}

void sluice_bitunshuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes)
{
    size_t done = 0;

#if defined(SLUICE_CPU_X86)
    enum sluice_cpu_level level = sluice_cpu_level();

    if (level == SLUICE_CPU_AVX512)
        done = sluice_untranspose_avx512(out, in, count, element_bytes);
    else if (level == SLUICE_CPU_AVX2)
        done = sluice_untranspose_avx2(out, in, count, element_bytes);
#endif
    if (done < count)
        sluice_untranspose_scalar(out, in, done, count, element_bytes);
}
