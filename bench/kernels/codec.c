/* SPDX-License-Identifier: Apache-2.0
 *
 * Everybody works on the same images in the same rounds, in rotating order, on this one thread:
 * memcpy of the pixels, compressing them, and decompressing stock streams. Each image has a place
 * of its own for what comes out, in whole pages that are there: neither sources nor results of the
 * last time are in a cache, also not in one of 32 MB, in which a single place of 18 MB (8 bit)
 * might stay. memcpy goes over them several times, so that its time is about as long as that of the
 * others, and ours come right after it. A contestant is dropped with a word when its first result
 * is wrong; ours being wrong is an error. */
#include <stdlib.h>
#include <string.h>

#include "bench/kernels/library.h"
#include "bench/kernels/pipeline_hdf5.h"
#include "bench/kernels/subject.h"
#include "core/codec/codec.h"

#define HEADER_BYTES 12 /* of a chunk of filter 32008, before the stream */
#define ROUNDS_MAX   1000
#define PASSES       4 /* of memcpy over the images */
#define PAGE_BYTES   4096

enum { MEMCPY, COMPRESS, DECOMPRESS, KINDS };
enum { SLUICE, LIBRARY, HDF5, WHOS };
static const char *const kinds[] = {"memcpy", "compress", "decompress"};
static const char *const whos[] = {"sluice", "library", "hdf5"};

struct match {
    const struct sluice_kernel_settings *settings;
    const struct sluice_subject *subject;
    struct sluice_codec_library library;
    struct sluice_hdf5_pipeline hdf5;
    struct sluice_codec_scratch scratch;
    uint8_t *pixels[SLUICE_SUBJECT_FRAMES]; /* where decoders and memcpy write */
    uint8_t *stream[SLUICE_SUBJECT_FRAMES]; /* where encoders write */
    size_t bytes[WHOS];                     /* of all compressed frames */
    bool plays[KINDS][WHOS];
    double wall[KINDS][WHOS][ROUNDS_MAX], cpu[KINDS][WHOS][ROUNDS_MAX]; /* seconds a round */
};

/* ---- one image by one contestant; the bytes of the stream, 0: failed ---- */

static size_t compress_one(struct match *match, int who, uint32_t frame)
{
    const struct sluice_subject *subject = match->subject;
    const uint8_t *pixels = sluice_frames_at(&subject->frames, frame);
    const size_t bytes = subject->frames.frame_bytes, element = subject->element_bytes;
    size_t out = 0;
    if (who == HDF5)
        return sluice_hdf5_pipeline_write(&match->hdf5, frame, pixels) ? 1 : 0;
    if (who == LIBRARY) {
        const int64_t size =
            match->library.compress(pixels, match->stream[frame] + HEADER_BYTES, bytes / element,
                                    element, SLUICE_BSLZ4_BLOCK_BYTES / element);
        return size > 0 ? (size_t)size + HEADER_BYTES : 0;
    }
    return sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, bytes, element, match->stream[frame],
                               subject->capacity, &out, &match->scratch) == SLUICE_OK
               ? out
               : 0;
}

static bool decompress_one(struct match *match, int who, uint32_t frame, struct sluice_span stream)
{
    const struct sluice_subject *subject = match->subject;
    const size_t bytes = subject->frames.frame_bytes, element = subject->element_bytes;
    if (who == HDF5)
        return sluice_hdf5_pipeline_read(&match->hdf5, frame, match->pixels[frame]);
    if (who == LIBRARY)
        return match->library.decompress(stream.data + HEADER_BYTES, match->pixels[frame],
                                         bytes / element, element,
                                         SLUICE_BSLZ4_BLOCK_BYTES / element) > 0;
    return sluice_codec_decode(SLUICE_ENCODING_BSLZ4, stream, element, match->pixels[frame], bytes,
                               &match->scratch) == SLUICE_OK;
}

/* ---- before anything is timed ---- */

static bool is_right(const struct match *match, uint32_t frame)
{
    return memcmp(match->pixels[frame], sluice_frames_at(&match->subject->frames, frame),
                  match->subject->frames.frame_bytes) == 0;
}

/* Compresses and decompresses every frame once. Streams are read back by our decoder, which is held
 * against the pixels too. */
static bool check(struct match *match, int who)
{
    for (uint32_t i = 0; i < SLUICE_SUBJECT_FRAMES; i++) {
        const size_t bytes = compress_one(match, who, i);
        match->bytes[who] += bytes;
        memset(match->pixels[i], 0x5a, match->subject->frames.frame_bytes);
        if (bytes == 0)
            return false;
        if (who == LIBRARY) /* the header that the HDF5 filter writes */
            memcpy(match->stream[i], match->subject->stock[i].data, HEADER_BYTES);
        const struct sluice_span stream = {match->stream[i], bytes};
        if (who != HDF5 && (!decompress_one(match, SLUICE, i, stream) || !is_right(match, i)))
            return false;
        memset(match->pixels[i], 0x5a, match->subject->frames.frame_bytes);
        if (!decompress_one(match, who, i, match->subject->stock[i]) || !is_right(match, i))
            return false;
    }
    return true;
}

static enum sluice_status enter(struct match *match, struct sluice_error *error)
{
    const struct sluice_kernel_settings *settings = match->settings;
    struct sluice_error why = {0};
    bool plays[WHOS] = {true, match->library.handle != NULL, false};
    plays[HDF5] = sluice_hdf5_pipeline_open(&match->hdf5, match->subject, &why) == SLUICE_OK;
    if (!plays[HDF5])
        fprintf(settings->stream, "SKIPPED: stock HDF5 filter: %s\n", why.message);
    for (int who = 0; who < WHOS; who++) {
        if (!plays[who])
            continue;
        const bool right = check(match, who);
        if (!right && who == SLUICE)
            return sluice_error_set(error, SLUICE_MISMATCH,
                                    "our codec does not give %s pixels back as they were",
                                    match->subject->name);
        if (!right)
            fprintf(settings->stream, "SKIPPED: %s, %s: its result is wrong\n", whos[who],
                    match->subject->name);
        match->plays[COMPRESS][who] = match->plays[DECOMPRESS][who] = right;
    }
    match->plays[MEMCPY][SLUICE] = true;
    return SLUICE_OK;
}

/* ---- the rounds ---- */

static void play(struct match *match, int kind, int who, uint32_t round)
{
    const struct sluice_subject *subject = match->subject;
    const struct sluice_stopwatch begin = sluice_stopwatch_now();
    const uint32_t passes = kind == MEMCPY ? PASSES : 1;
    for (uint32_t n = 0; n < passes * SLUICE_SUBJECT_FRAMES; n++) {
        const uint32_t i = n % SLUICE_SUBJECT_FRAMES;
        if (kind == COMPRESS)
            compress_one(match, who, i);
        else if (kind == DECOMPRESS)
            decompress_one(match, who, i, subject->stock[i]);
        else
            memcpy(match->pixels[i], sluice_frames_at(&subject->frames, i),
                   subject->frames.frame_bytes);
    }
    const struct sluice_stopwatch took = sluice_stopwatch_since(begin);
    match->wall[kind][who][round] = took.wall / passes;
    match->cpu[kind][who][round] = took.cpu / passes;
}

/* The ratio of two times in each round. */
static void add_ratio(struct match *match, struct sluice_figures *figures, int kind, int who,
                      const double *other, const char *of)
{
    double values[ROUNDS_MAX];
    for (uint32_t r = 0; r < match->settings->repeat; r++)
        values[r] = other[r] / match->wall[kind][who][r];
    const struct sluice_spread spread = sluice_spread_of(values, match->settings->repeat);
    sluice_figures_add(figures, SLUICE_FIGURE_RATE_RATIO, &spread, "kernel/%s/%s/%s/of_%s",
                       kinds[kind], match->subject->name, whos[who], of);
}

static void add_figures(struct match *match, struct sluice_figures *figures, int kind, int who)
{
    const uint32_t rounds = match->settings->repeat;
    const double gb = (double)match->subject->frames.frame_bytes * SLUICE_SUBJECT_FRAMES / 1e9;
    double rates[ROUNDS_MAX], costs[ROUNDS_MAX];
    for (uint32_t r = 0; r < rounds; r++) {
        rates[r] = gb / match->wall[kind][who][r];
        costs[r] = match->cpu[kind][who][r] / gb;
    }
    const char *name = kind == MEMCPY ? "libc" : whos[who];
    const struct sluice_spread rate = sluice_spread_of(rates, rounds);
    const struct sluice_spread cost = sluice_spread_of(costs, rounds);
    sluice_figures_add(figures, SLUICE_FIGURE_RATE, &rate, "kernel/%s/%s/%s/GB_per_s", kinds[kind],
                       match->subject->name, name);
    sluice_figures_add(figures, SLUICE_FIGURE_COST, &cost, "kernel/%s/%s/%s/cpu_s_per_GB",
                       kinds[kind], match->subject->name, name);
    if (kind == MEMCPY)
        return;
    add_ratio(match, figures, kind, who, match->wall[MEMCPY][SLUICE], "memcpy");
    for (int other = who + 1; who == SLUICE && other < WHOS; other++)
        if (match->plays[kind][other])
            add_ratio(match, figures, kind, who, match->wall[kind][other], whos[other]);
}

static void add_size(struct match *match, struct sluice_figures *figures, int who)
{
    double stock = 0;
    for (uint32_t i = 0; i < SLUICE_SUBJECT_FRAMES; i++)
        stock += (double)match->subject->stock[i].bytes;
    double ratio = (double)match->bytes[who] / stock;
    const struct sluice_spread spread = sluice_spread_of(&ratio, 1);
    sluice_figures_add(figures, SLUICE_FIGURE_COST_RATIO, &spread,
                       "kernel/compress/%s/%s/size_of_stock", match->subject->name, whos[who]);
}

static enum sluice_status run(struct match *match, struct sluice_figures *figures)
{
    for (uint32_t r = 0; r < match->settings->repeat; r++) {
        for (uint32_t i = 0; i < KINDS * WHOS; i++) {
            const int turn = (int)((i + r) % (KINDS * WHOS));
            const int kind = turn % KINDS, who = turn / KINDS; /* ours right after memcpy */
            if (*match->settings->stop)
                return SLUICE_AGAIN;
            if (match->plays[kind][who])
                play(match, kind, who, r);
        }
    }
    for (int kind = 0; kind < KINDS; kind++)
        for (int who = 0; who < WHOS; who++)
            if (match->plays[kind][who])
                add_figures(match, figures, kind, who);
    add_size(match, figures, SLUICE);
    if (match->plays[COMPRESS][LIBRARY])
        add_size(match, figures, LIBRARY);
    return SLUICE_OK;
}

static bool open_places(struct match *match)
{
    const size_t bytes[2] = {match->subject->frames.frame_bytes, match->subject->capacity};
    bool good = true;
    for (int i = 0; i < 2 * SLUICE_SUBJECT_FRAMES; i++) {
        const size_t size = (bytes[i % 2] + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        uint8_t *place = aligned_alloc(PAGE_BYTES, size);
        *(i % 2 == 0 ? &match->pixels[i / 2] : &match->stream[i / 2]) = place;
        if (place != NULL)
            memset(place, 0x5a, size);
        good = good && place != NULL;
    }
    return good;
}

static void close_places(struct match *match)
{
    for (int i = 0; i < SLUICE_SUBJECT_FRAMES; i++) {
        free(match->pixels[i]);
        free(match->stream[i]);
    }
}

static enum sluice_status run_subject(struct match *match, enum sluice_dtype dtype,
                                      struct sluice_figures *figures, struct sluice_error *error)
{
    struct sluice_subject subject;
    enum sluice_status status = sluice_subject_open(&subject, dtype, match->settings, error);
    if (status != SLUICE_OK)
        return status;
    match->subject = &subject;
    const bool room = open_places(match);
    memset(match->bytes, 0, sizeof(match->bytes));
    memset(match->plays, 0, sizeof(match->plays));
    if (!room)
        status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for images");
    if (status == SLUICE_OK)
        status = enter(match, error);
    if (status == SLUICE_OK)
        status = run(match, figures);
    sluice_hdf5_pipeline_close(&match->hdf5);
    close_places(match);
    sluice_subject_close(&subject);
    return status;
}

enum sluice_status sluice_kernels_codec(const struct sluice_kernel_settings *settings,
                                        struct sluice_figures *figures, struct sluice_error *error)
{
    static const enum sluice_dtype dtypes[] = {SLUICE_U8, SLUICE_U16, SLUICE_U32};
    static struct match match;
    enum sluice_status status = SLUICE_OK;
    struct sluice_error why = {0};
    match = (struct match){.settings = settings, .hdf5 = {.file = -1, .dataset = -1}};
    if (settings->codec_library == NULL)
        fputs("SKIPPED: codec library: none given (--codec-library)\n", settings->stream);
    else if (sluice_codec_library_open(&match.library, settings->codec_library, &why) != SLUICE_OK)
        fprintf(settings->stream, "SKIPPED: codec library: %s\n", why.message);
    for (size_t i = 0; status == SLUICE_OK && i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
        status = run_subject(&match, dtypes[i], figures, error);
    sluice_codec_scratch_close(&match.scratch);
    sluice_codec_library_close(&match.library);
    return status;
}
