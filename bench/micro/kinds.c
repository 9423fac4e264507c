/* SPDX-License-Identifier: Apache-2.0
 *
 * The bslz4 encoder on pixels of every kind (bench/data/kinds.h), as codec/kinds/WHAT/TYPE: bytes a
 * second, and as counters its size and its rate as parts of those of stock LZ4 on the same planes,
 * and its rate as part of memcpy's. What others than ours take is measured beside each loop. The
 * rates are good for a survey only: to compare builds, measure them in turns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/data/kinds.h"
#include "bench/data/stock.h"
#include "bench/micro/micro.h"
#include "core/codec/codec.h"

#define WIDTH  1030
#define HEIGHT 514
#define SEED   1
#define TIMES  5 /* of the others: the best counts */

struct context {
    size_t kind;
    enum sluice_dtype dtype;
};

struct memory {
    uint8_t *pixels, *copy, *stream;
    size_t bytes, bound;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double best(double before, double begin)
{
    const double took = now() - begin;

    return took < before ? took : before;
}

static void survey(struct sluice_bench *bench, struct memory *memory, size_t element_bytes)
{
    struct sluice_codec_scratch scratch = {0};
    double ours = 1e9, stock = 1e9, copied = 1e9, begin;
    size_t length = 0, stock_length = 0;

    while (sluice_bench_next(bench))
        if (sluice_codec_encode(SLUICE_ENCODING_BSLZ4, memory->pixels, memory->bytes, element_bytes,
                                memory->stream, memory->bound, &length, &scratch) != SLUICE_OK)
            sluice_bench_fail(bench, "the image could not be encoded");
    sluice_bench_set_bytes(bench, sluice_bench_iterations(bench) * (int64_t)memory->bytes);
    for (int i = 0; i < TIMES; i++) {
        begin = now();
        memcpy(memory->copy, memory->pixels, memory->bytes);
        copied = best(copied, begin);
        sluice_bench_keep(memory->copy);
        begin = now();
        stock_length =
            sluice_stock_encode(memory->pixels, memory->bytes, element_bytes, memory->stream);
        stock = best(stock, begin);
        begin = now();
        sluice_codec_encode(SLUICE_ENCODING_BSLZ4, memory->pixels, memory->bytes, element_bytes,
                            memory->stream, memory->bound, &length, &scratch);
        ours = best(ours, begin);
    }
    sluice_codec_scratch_close(&scratch);
    if (length == 0 || stock_length == 0)
        return;
    sluice_bench_counter(bench, "size_of_stock", (double)length / (double)stock_length);
    sluice_bench_counter(bench, "rate_of_stock", stock / ours);
    sluice_bench_counter(bench, "rate_of_memcpy", copied / ours);
}

static void run(struct sluice_bench *bench)
{
    const struct context *context = sluice_bench_context(bench);
    const size_t element_bytes = sluice_dtype_bytes(context->dtype);
    struct memory memory = {.bytes = (size_t)WIDTH * HEIGHT * element_bytes};

    memory.bound = sluice_stock_bound(memory.bytes, element_bytes);
    memory.pixels = malloc(memory.bytes);
    memory.copy = malloc(memory.bytes);
    memory.stream = malloc(memory.bound);
    if (memory.pixels == NULL || memory.copy == NULL || memory.stream == NULL) {
        sluice_bench_fail(bench, "out of memory");
    } else {
        sluice_kind_fill(context->kind, context->dtype, WIDTH, HEIGHT, SEED, memory.pixels);
        survey(bench, &memory, element_bytes);
    }
    free(memory.pixels);
    free(memory.copy);
    free(memory.stream);
}

void sluice_micro_kinds(void)
{
    static const struct {
        enum sluice_dtype dtype;
        const char *name;
    } types[] = {{SLUICE_U8, "u8"},   {SLUICE_U16, "u16"}, {SLUICE_U32, "u32"},
                 {SLUICE_I16, "i16"}, {SLUICE_I32, "i32"}, {SLUICE_F32, "f32"}};
    enum { TYPE_COUNT = sizeof types / sizeof types[0] };
    static struct context contexts[SLUICE_KINDS_MAX * TYPE_COUNT];

    for (size_t i = 0; i < sluice_kind_count() * TYPE_COUNT; i++) {
        const size_t kind = i / TYPE_COUNT, type = i % TYPE_COUNT;
        char name[96];

        if (!sluice_kind_suits(kind, types[type].dtype))
            continue;
        contexts[i] = (struct context){kind, types[type].dtype};
        snprintf(name, sizeof name, "codec/kinds/%s/%s", sluice_kind_name(kind), types[type].name);
        sluice_bench_register(
            &(struct sluice_bench_case){.name = name, .run = run, .context = &contexts[i]});
    }
}
