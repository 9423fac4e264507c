/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `sluice bench`, parsed and checked before anything is started. */
#ifndef SLUICE_CLI_BENCH_OPTIONS_H
#define SLUICE_CLI_BENCH_OPTIONS_H

#include "bench/pipeline/pipeline.h"

struct sluice_bench_options {
    struct sluice_bench_settings bench;
    const char *json;
    const char *receive, *endpoint, *file; /* it is a child of its own */
    const char *codec_library;
    const char *kernel;         /* of sluice_bench_kernels; NULL: all */
    const char *before, *after; /* of --compare; NULL: measure */
    bool targets, kernels, all, no_python;
};

/* -1: go on; else the exit code, after everything has been said. Texts are borrowed from argv. */
int sluice_bench_options_read(struct sluice_bench_options *options, int argc, char **argv);

#endif
