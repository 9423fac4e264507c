/* SPDX-License-Identifier: Apache-2.0
 *
 * What readers do with stored counts: stock bslz4 streams of 16M images to pixels, and to
 * statistics and histogram without them, at each level of instructions, beside memcpy of the pixels
 * in the same run. Three images in turn, so that caches hold neither source nor result. Real counts
 * where SLUICE_SHARED (or ../shared) has them. Bytes a second are bytes of pixels everywhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/frames.h"
#include "bench/data/stock.h"
#include "bench/micro/micro.h"
#include "core/codec/codec.h"
#include "core/cpu.h"
#include "readers/stats/payload.h"

#define IMAGES 3
#define BINS   4096

struct subject {
    const char *name;
    enum sluice_dtype dtype;
    /* made at the first run: */
    struct sluice_frames frames;
    struct sluice_span stock[IMAGES];
    uint8_t *result;
};

static struct subject subjects[] = {
    {.name = "u8", .dtype = SLUICE_U8},
    {.name = "u16", .dtype = SLUICE_U16},
    {.name = "u32", .dtype = SLUICE_U32},
};
#define SUBJECT_COUNT (sizeof subjects / sizeof subjects[0])

/* What one benchmark works on. */
struct context {
    struct subject *subject;
    enum sluice_cpu_level level;
    bool centre;
};

static bool load(struct subject *subject)
{
    char counts[4096];
    struct sluice_error error = {0};
    bool is_shared = sluice_shared_folder("data/jungfrau", counts, sizeof counts);
    if (sluice_frames_load(&subject->frames, is_shared ? counts : NULL,
                           sluice_model_find("eiger2-16m"), subject->dtype, IMAGES,
                           &error) != SLUICE_OK)
        return false;
    size_t element_bytes = sluice_dtype_bytes(subject->dtype);
    size_t bytes = subject->frames.frame_bytes;
    subject->result = malloc(IMAGES * bytes);
    for (uint32_t i = 0; subject->result && i < IMAGES; i++) {
        uint8_t *out = malloc(sluice_stock_bound(bytes, element_bytes));
        if (!out)
            return false;
        subject->stock[i].data = out;
        subject->stock[i].bytes =
            sluice_stock_encode(sluice_frames_at(&subject->frames, i), bytes, element_bytes, out);
        memset(subject->result + i * bytes, 0, bytes);
    }
    return subject->result != NULL && subject->stock[IMAGES - 1].bytes > 0;
}

/* What is loaded stays until the program ends. NULL: said why. */
static struct subject *begin(struct sluice_bench *bench)
{
    const struct context *context = sluice_bench_context(bench);
    struct subject *subject = context->subject;
    if (subject->frames.count == 0 && !load(subject)) {
        sluice_bench_fail(bench, "the images cannot be made or read");
        return NULL;
    }
    if (sluice_cpu_limit(context->level) != context->level) {
        sluice_bench_fail(bench, "this processor has no such instructions");
        return NULL;
    }
    return subject;
}

static void end(struct sluice_bench *bench, const struct subject *subject, bool is_right)
{
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    sluice_bench_set_bytes(bench,
                           sluice_bench_iterations(bench) * (int64_t)subject->frames.frame_bytes);
    if (!is_right)
        sluice_bench_fail(bench, "the result is not that of the pixels");
    sluice_cpu_limit(SLUICE_CPU_AVX512);
}

static void copy(struct sluice_bench *bench)
{
    struct subject *subject = begin(bench);
    if (subject == NULL)
        return;
    size_t bytes = subject->frames.frame_bytes;
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % IMAGES) {
        memcpy(subject->result + i * bytes, sluice_frames_at(&subject->frames, i), bytes);
        sluice_bench_keep(subject->result);
    }
    end(bench, subject, true);
}

static void decode(struct sluice_bench *bench)
{
    struct subject *subject = begin(bench);
    struct sluice_codec_scratch scratch = {0};
    if (subject == NULL)
        return;
    size_t bytes = subject->frames.frame_bytes;
    bool is_right = true;
    memset(subject->result, 0, bytes);
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % IMAGES)
        is_right &= sluice_codec_decode(SLUICE_ENCODING_BSLZ4, subject->stock[i],
                                        sluice_dtype_bytes(subject->dtype),
                                        subject->result + i * bytes, bytes, &scratch) == SLUICE_OK;
    is_right &= memcmp(subject->result, sluice_frames_at(&subject->frames, 0), bytes) == 0;
    end(bench, subject, is_right);
    sluice_codec_scratch_close(&scratch);
}

static void statistics(struct sluice_bench *bench)
{
    static uint64_t bins[BINS];
    const struct context *context = sluice_bench_context(bench);
    struct subject *subject = begin(bench);
    struct sluice_histogram_counts histogram = {bins, BINS, 0};
    struct sluice_stats_scratch scratch = {0};
    struct sluice_stats stats = {0}, plain;
    if (subject == NULL)
        return;
    const struct sluice_frames *frames = &subject->frames;
    const struct sluice_stats_channel channel = {.width = frames->width,
                                                 .height = frames->height,
                                                 .dtype = frames->dtype,
                                                 .without_centre = !context->centre};
    bool is_right = true;
    uint32_t last = 0;
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % IMAGES) {
        is_right &= sluice_stats_payload(&channel, SLUICE_ENCODING_BSLZ4, subject->stock[i],
                                         &scratch, &stats, &histogram) == SLUICE_OK;
        last = i;
    }
    sluice_stats_plane(sluice_frames_at(frames, last), frames->width, frames->height, frames->dtype,
                       NULL, NULL, &plain);
    end(bench, subject, is_right && stats.sum == plain.sum && stats.max == plain.max);
    sluice_stats_scratch_close(&scratch);
}

void sluice_micro_planes(void)
{
    static const struct {
        const char *name;
        void (*run)(struct sluice_bench *bench);
        bool by_level, centre;
    } cases[] = {
        {"memcpy", copy, false, false},
        {"decode", decode, true, false},
        {"statistics", statistics, true, false},
        {"statistics+centre", statistics, true, true},
    };
    enum { CASE_COUNT = sizeof cases / sizeof cases[0] };
    static struct context contexts[CASE_COUNT][SUBJECT_COUNT][SLUICE_CPU_LEVEL_COUNT];
    for (size_t k = 0; k < SUBJECT_COUNT; k++) {
        for (size_t i = 0; i < CASE_COUNT; i++) {
            for (int level = 0; level <= (int)sluice_cpu_level(); level++) {
                if (!cases[i].by_level && level != SLUICE_CPU_SCALAR)
                    continue;
                contexts[i][k][level] =
                    (struct context){&subjects[k], (enum sluice_cpu_level)level, cases[i].centre};
                char name[80];
                snprintf(name, sizeof name, "planes/%s/%s%s%s", cases[i].name, subjects[k].name,
                         cases[i].by_level ? "/" : "",
                         cases[i].by_level ? sluice_cpu_level_name((enum sluice_cpu_level)level)
                                           : "");
                sluice_bench_register(&(struct sluice_bench_case){
                    .name = name, .run = cases[i].run, .context = &contexts[i][k][level]});
            }
        }
    }
}
