/* SPDX-License-Identifier: Apache-2.0
 *
 * The codec on whole images, beside memcpy of the same pixels in the same run: the ratio is what
 * counts, absolute figures swing with the machine. 32 images in turn, 16 to 64 MiB, so that most
 * caches hold neither the source nor the result of the last time. Made images of an EIGER2 R 500K
 * for each element size, and captured JUNGFRAU images where SLUICE_SHARED names a folder with
 * data/jungfrau in it.
 *
 * Encoders are measured at each level of instructions too. Bytes a second are decoded bytes
 * everywhere; `ratio` is decoded by encoded. */
#include "core/codec/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/frames.h"
#include "bench/micro/micro.h"
#include "core/cpu.h"

#define IMAGES 32

struct subject {
    const char *name;
    enum sluice_dtype dtype;
    bool is_captured;
    /* made at the first run: */
    bool is_loaded;
    size_t image_bytes;
    struct sluice_frames frames;           /* IMAGES images */
    uint8_t *pixels;                       /* of the frames */
    uint8_t *results;                      /* as large: where decoders write */
    struct sluice_span encoded[2][IMAGES]; /* LZ4, BSLZ4 */
};

static struct subject subjects[] = {
    {.name = "u8", .dtype = SLUICE_U8},
    {.name = "u16", .dtype = SLUICE_U16},
    {.name = "u32", .dtype = SLUICE_U32},
    {.name = "jungfrau_u16", .dtype = SLUICE_U16, .is_captured = true},
};
#define SUBJECT_COUNT (sizeof subjects / sizeof subjects[0])

/* What one benchmark works on. */
struct context {
    struct subject *subject;
    enum sluice_encoding encoding; /* NONE: of the pixels as they are */
    enum sluice_cpu_level level;   /* vector instructions that it may use */
};

static bool load_pixels(struct subject *subject)
{
    char counts[4096];
    const bool found = sluice_shared_folder("data/jungfrau", counts, sizeof counts);
    if (subject->is_captured && !found) {
        return false;
    }
    const struct sluice_model *model =
        sluice_model_find(subject->is_captured ? "jungfrau-0.5m" : "eiger2-r-500k");
    if (sluice_frames_load(&subject->frames, subject->is_captured ? counts : NULL, model,
                           subject->dtype, IMAGES, NULL) != SLUICE_OK) {
        return false;
    }
    subject->pixels = subject->frames.pixels;
    subject->image_bytes = subject->frames.frame_bytes;
    subject->results = calloc(IMAGES, subject->image_bytes);
    return subject->results != NULL;
}

static bool encode_all(struct subject *subject, enum sluice_encoding encoding)
{
    size_t element_bytes = sluice_dtype_bytes(subject->dtype);
    size_t capacity = sluice_codec_bound(encoding, element_bytes, subject->image_bytes);
    struct sluice_codec_scratch scratch = {0};
    bool ok = true;
    for (uint32_t i = 0; ok && i < IMAGES; i++) {
        size_t bytes = 0;
        uint8_t *out = malloc(capacity);
        ok =
            out != NULL && sluice_codec_encode(encoding, subject->pixels + i * subject->image_bytes,
                                               subject->image_bytes, element_bytes, out, capacity,
                                               &bytes, &scratch) == SLUICE_OK;
        subject->encoded[encoding - SLUICE_ENCODING_LZ4][i] = (struct sluice_span){out, bytes};
    }
    sluice_codec_scratch_close(&scratch);
    return ok;
}

/* What is loaded stays until the program ends. NULL: said why. */
static struct subject *subject_of(struct sluice_bench *bench)
{
    const struct context *context = sluice_bench_context(bench);
    struct subject *subject = context->subject;
    if (!subject->is_loaded) {
        if (!load_pixels(subject) || !encode_all(subject, SLUICE_ENCODING_LZ4) ||
            !encode_all(subject, SLUICE_ENCODING_BSLZ4)) {
            sluice_bench_fail(bench, "the images cannot be made or read");
            return NULL;
        }
        subject->is_loaded = true;
    }
    return subject;
}

static enum sluice_encoding encoding_of(const struct sluice_bench *bench)
{
    const struct context *context = sluice_bench_context(bench);
    return context->encoding;
}

static void report(struct sluice_bench *bench, const struct subject *subject,
                   const struct sluice_span *encoded)
{
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    sluice_bench_set_bytes(bench, sluice_bench_iterations(bench) * (int64_t)subject->image_bytes);
    if (encoded != NULL) {
        double bytes = 0;
        for (uint32_t i = 0; i < IMAGES; i++) {
            bytes += (double)encoded[i].bytes;
        }
        sluice_bench_counter(bench, "ratio", (double)subject->image_bytes * IMAGES / bytes);
    }
}

static void copy(struct sluice_bench *bench)
{
    struct subject *subject = subject_of(bench);
    if (subject == NULL) {
        return;
    }
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % IMAGES) {
        size_t offset = i * subject->image_bytes;
        memcpy(subject->results + offset, subject->pixels + offset, subject->image_bytes);
        sluice_bench_keep(subject->results);
    }
    report(bench, subject, NULL);
}

static void decode(struct sluice_bench *bench)
{
    struct subject *subject = subject_of(bench);
    if (subject == NULL) {
        return;
    }
    enum sluice_encoding encoding = encoding_of(bench);
    const struct sluice_span *encoded = subject->encoded[encoding - SLUICE_ENCODING_LZ4];
    struct sluice_codec_scratch scratch = {0};
    memset(subject->results, 0, IMAGES * subject->image_bytes);
    uint32_t done = 0, wrong = 0;
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % IMAGES, done++) {
        wrong += sluice_codec_decode(encoding, encoded[i], sluice_dtype_bytes(subject->dtype),
                                     subject->results + i * subject->image_bytes,
                                     subject->image_bytes, &scratch) != SLUICE_OK;
    }
    size_t compared = (done < IMAGES ? done : IMAGES) * subject->image_bytes;
    report(bench, subject, encoded);
    if (wrong != 0 || memcmp(subject->results, subject->pixels, compared) != 0) {
        sluice_bench_fail(bench, "decoded pixels are not those that were encoded");
    }
    sluice_codec_scratch_close(&scratch);
}

static enum sluice_cpu_level level_of(const struct sluice_bench *bench)
{
    const struct context *context = sluice_bench_context(bench);
    return context->level;
}

static void encode(struct sluice_bench *bench)
{
    struct subject *subject = subject_of(bench);
    if (subject == NULL) {
        return;
    }
    if (sluice_cpu_limit(level_of(bench)) != level_of(bench) &&
        level_of(bench) != SLUICE_CPU_AVX512) {
        sluice_bench_fail(bench, "this processor has no such instructions");
        return;
    }
    enum sluice_encoding encoding = encoding_of(bench);
    size_t element_bytes = sluice_dtype_bytes(subject->dtype);
    size_t capacity = sluice_codec_bound(encoding, element_bytes, subject->image_bytes);
    uint8_t *out = malloc(capacity);
    if (out == NULL) {
        sluice_bench_fail(bench, "out of memory");
        return;
    }
    struct sluice_codec_scratch scratch = {0};
    uint32_t wrong = 0;
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % IMAGES) {
        size_t bytes = 0;
        wrong += sluice_codec_encode(encoding, subject->pixels + i * subject->image_bytes,
                                     subject->image_bytes, element_bytes, out, capacity, &bytes,
                                     &scratch) != SLUICE_OK;
    }
    report(bench, subject, subject->encoded[encoding - SLUICE_ENCODING_LZ4]);
    if (wrong != 0) {
        sluice_bench_fail(bench, "an image could not be encoded");
    }
    sluice_codec_scratch_close(&scratch);
    sluice_cpu_limit(SLUICE_CPU_AVX512);
    free(out);
}

/* The walk over the block lengths that every payload gets before it is stored. */
static void check(struct sluice_bench *bench)
{
    struct subject *subject = subject_of(bench);
    if (subject == NULL) {
        return;
    }
    enum sluice_encoding encoding = encoding_of(bench);
    const struct sluice_span *encoded = subject->encoded[encoding - SLUICE_ENCODING_LZ4];
    uint32_t wrong = 0;
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % IMAGES) {
        wrong += sluice_codec_check(encoding, encoded[i], sluice_dtype_bytes(subject->dtype),
                                    subject->image_bytes) != SLUICE_OK;
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench)); /* it reads few of the bytes */
    if (wrong != 0) {
        sluice_bench_fail(bench, "a right payload was refused");
    }
}

static void checksum(struct sluice_bench *bench)
{
    struct subject *subject = subject_of(bench);
    if (subject == NULL) {
        return;
    }
    const struct sluice_span *encoded = subject->encoded[encoding_of(bench) - SLUICE_ENCODING_LZ4];
    uint64_t bytes = 0;
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % IMAGES) {
        uint64_t sum = sluice_checksum(encoded[i]);
        sluice_bench_keep(&sum);
        bytes += encoded[i].bytes;
    }
    sluice_bench_set_bytes(bench, (int64_t)bytes); /* encoded ones: these it reads */
}

void sluice_micro_codec(void)
{
    static const struct {
        const char *name;
        void (*run)(struct sluice_bench *bench);
        enum sluice_encoding encoding;
        enum sluice_cpu_level level;
    } cases[] = {
        {"memcpy", copy, SLUICE_ENCODING_NONE, SLUICE_CPU_AVX512},
        {"decode/bslz4", decode, SLUICE_ENCODING_BSLZ4, SLUICE_CPU_AVX512},
        {"decode/lz4", decode, SLUICE_ENCODING_LZ4, SLUICE_CPU_AVX512},
        {"encode/bslz4", encode, SLUICE_ENCODING_BSLZ4, SLUICE_CPU_AVX512},
        {"encode/bslz4-avx2", encode, SLUICE_ENCODING_BSLZ4, SLUICE_CPU_AVX2},
        {"encode/bslz4-scalar", encode, SLUICE_ENCODING_BSLZ4, SLUICE_CPU_SCALAR},
        {"encode/lz4", encode, SLUICE_ENCODING_LZ4, SLUICE_CPU_AVX512},
        {"check/bslz4", check, SLUICE_ENCODING_BSLZ4, SLUICE_CPU_AVX512},
        {"check/lz4", check, SLUICE_ENCODING_LZ4, SLUICE_CPU_AVX512},
        {"checksum/bslz4", checksum, SLUICE_ENCODING_BSLZ4, SLUICE_CPU_AVX512},
    };
    enum { CASE_COUNT = sizeof cases / sizeof cases[0] };
    static struct context contexts[CASE_COUNT][SUBJECT_COUNT];
    char folder[4096];
    for (size_t i = 0; i < CASE_COUNT; i++) {
        for (size_t k = 0; k < SUBJECT_COUNT; k++) {
            if (subjects[k].is_captured &&
                !sluice_shared_folder("data/jungfrau", folder, sizeof folder)) {
                continue;
            }
            contexts[i][k] = (struct context){&subjects[k], cases[i].encoding, cases[i].level};
            char name[64];
            snprintf(name, sizeof name, "codec/%s/%s", cases[i].name, subjects[k].name);
            sluice_bench_register(&(struct sluice_bench_case){
                .name = name, .run = cases[i].run, .context = &contexts[i][k]});
        }
    }
}
