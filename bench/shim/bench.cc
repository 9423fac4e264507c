/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: struct sluice_bench wraps a benchmark::State for the time of one call; each registered
 * case lives in a closure that the library owns. Nothing is thrown through C: the library's own
 * failures (wrong options, memory) end the program. */
#include "bench/shim/bench.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

struct sluice_bench {
    benchmark::State &state;
    const void *context;
};

namespace {

bool any_failed = false; /* benchmarks run one after the other, on the main thread */

} // namespace

void sluice_bench_register(const sluice_bench_case *bench_case)
{
    const sluice_bench_case copy = *bench_case;
    auto *registered = benchmark::RegisterBenchmark(copy.name, [copy](benchmark::State &state) {
        sluice_bench bench{state, copy.context};
        copy.run(&bench);
    });
    std::vector<std::string> names;
    for (const char *name : copy.argument_names) {
        if (name == nullptr) {
            break;
        }
        names.emplace_back(name);
    }
    if (!names.empty()) {
        registered->ArgNames(names);
    }
    for (size_t run = 0; run < copy.run_count; run++) {
        const int64_t *row = copy.arguments + run * names.size();
        registered->Args(std::vector<int64_t>(row, row + names.size()));
    }
    if (copy.wall_time) {
        registered->UseRealTime()->MeasureProcessCPUTime();
    }
}

int sluice_bench_main(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 2;
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return any_failed ? 1 : 0;
}

const void *sluice_bench_context(const sluice_bench *bench)
{
    return bench->context;
}

int64_t sluice_bench_argument(const sluice_bench *bench, size_t index)
{
    return bench->state.range(index);
}

bool sluice_bench_next(sluice_bench *bench)
{
    return bench->state.KeepRunning();
}

bool sluice_bench_next_batch(sluice_bench *bench, int64_t count)
{
    return bench->state.KeepRunningBatch(count);
}

int64_t sluice_bench_iterations(const sluice_bench *bench)
{
    return bench->state.iterations();
}

void sluice_bench_set_items(sluice_bench *bench, int64_t items)
{
    bench->state.SetItemsProcessed(items);
}

void sluice_bench_set_bytes(sluice_bench *bench, int64_t bytes)
{
    bench->state.SetBytesProcessed(bytes);
}

void sluice_bench_counter(sluice_bench *bench, const char *name, double value)
{
    bench->state.counters[name] = value;
}

void sluice_bench_label(sluice_bench *bench, const char *text)
{
    bench->state.SetLabel(text);
}

void sluice_bench_fail(sluice_bench *bench, const char *reason)
{
    any_failed = true;
    bench->state.SkipWithError(reason);
}
