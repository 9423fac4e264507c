/* SPDX-License-Identifier: Apache-2.0
 *
 * Single kernels beside their floors and peers, in rounds in which they take turns, in this very
 * process: the codec beside memcpy, the stock HDF5 filter and a library given by path; decoding
 * with statistics beside h5py and numpy; the ring beside ck_ring's; the record of an image in a
 * data file. Every result is checked. Blocks. */
#ifndef SLUICE_BENCH_KERNELS_H
#define SLUICE_BENCH_KERNELS_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/figures/figures.h"
#include "core/error.h"

struct sluice_kernel_settings {
    const char *counts;        /* folder of captured frames; NULL: made ones */
    const char *codec_library; /* shared library with the functions of library.h; NULL: none */
    const char *python;        /* NULL: no such peer, for this reason: */
    const char *python_reason;
    const char *scratch;   /* directory for a file that Python reads */
    const char *directory; /* where data files are measured */
    uint32_t repeat;       /* rounds */
    bool quick;            /* small images, short loops: times mean nothing */
    const volatile sig_atomic_t *stop;
    FILE *stream; /* what is skipped is said here */
};

/* Each adds its figures. AGAIN: stopped. MISMATCH: our own result is wrong. NO_MEMORY, IO, SYSTEM.
 */
enum sluice_status sluice_kernels_codec(const struct sluice_kernel_settings *settings,
                                        struct sluice_figures *figures, struct sluice_error *error);
enum sluice_status sluice_kernels_statistics(const struct sluice_kernel_settings *settings,
                                             struct sluice_figures *figures,
                                             struct sluice_error *error);
enum sluice_status sluice_kernels_handover(const struct sluice_kernel_settings *settings,
                                           struct sluice_figures *figures,
                                           struct sluice_error *error);
enum sluice_status sluice_kernels_record(const struct sluice_kernel_settings *settings,
                                         struct sluice_figures *figures,
                                         struct sluice_error *error);

#endif
