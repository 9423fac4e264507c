/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice_bench_micro: what single steps on the way of a frame cost. Options are Google Benchmark's;
 * --benchmark_out=FILE writes JSON. With SLUICE_SHARED set to a folder with data/ in it, captured
 * messages and images are measured beside the made ones. */
#include "bench/micro/micro.h"
#include "core/log.h"

void sluice_micro_percentiles(struct sluice_bench *bench, const struct sluice_histogram *histogram)
{
    sluice_bench_counter(bench, "p50_ns", (double)sluice_histogram_percentile(histogram, 0.5));
    sluice_bench_counter(bench, "p99_ns", (double)sluice_histogram_percentile(histogram, 0.99));
    sluice_bench_counter(bench, "p99.9_ns", (double)sluice_histogram_percentile(histogram, 0.999));
    sluice_bench_counter(bench, "max_ns", (double)histogram->max);
}

int main(int argc, char **argv)
{
    sluice_log_set_level(SLUICE_LOG_WARNING);
    sluice_micro_ring();
#ifdef SLUICE_MICRO_CK
    sluice_micro_ring_ck();
#endif
    sluice_micro_wake();
    sluice_micro_codec();
    sluice_micro_kinds();
    sluice_micro_protocol();
    sluice_micro_core();
    sluice_micro_planes();
    sluice_micro_survey();
    sluice_micro_writer();
    return sluice_bench_main(argc, argv);
}
