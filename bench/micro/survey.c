/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of 16M images on one core, beside memcpy of the same pixels in the same run: each
 * statistic of a survey alone and all at once, on decoded pixels out of cache, at each level of
 * instructions that the machine has; and all at once with the basic ones from bslz4, decoded first
 * and block by block. Images of 4148 x 4362 pixels: captured JUNGFRAU counts side by
 * side where SLUICE_SHARED names a folder with data/jungfrau in it, else sparse made counts. One
 * pixel in 200 is masked, as are lines between modules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/micro.h"
#include "core/codec/codec.h"
#include "core/cpu.h"
#include "readers/stats/payload.h"

#define WIDTH  4148u
#define HEIGHT 4362u
#define PIXELS ((size_t)WIDTH * HEIGHT)

#define TILE_WIDTH  1024u
#define TILE_HEIGHT 512u

static const struct sluice_roi rois[8] = {
    {"a", 100, 50, 200, 200},    {"b", 550, 583, 200, 200},   {"c", 1000, 1116, 200, 200},
    {"d", 1450, 1649, 200, 200}, {"e", 1900, 2182, 200, 200}, {"f", 2350, 2715, 200, 200},
    {"g", 2800, 3248, 200, 200}, {"h", 3250, 3781, 200, 200},
};

static const struct subject {
    const char *name;
    bool copies, basic;     /* memcpy; stats.c */
    bool decodes, is_fused; /* and the basic ones, of a payload: the plane first; by blocks */
    struct sluice_survey_settings settings;
} subjects[] = {
    {.name = "memcpy", .copies = true},
    {.name = "basic", .basic = true},
    {.name = "roi_8x200x200", .settings = {.rois = rois, .roi_count = 8}},
    {.name = "histogram_256", .settings = {.histogram_bins = 256}},
    {.name = "histogram_256_of_16", .settings = {.histogram_bins = 256, .histogram_width = 16}},
    {.name = "radial_1px",
     .settings = {.radial = true, .centre_x = 2070, .centre_y = 2180, .radial_width = 1}},
    {.name = "radial_4px",
     .settings = {.radial = true, .centre_x = 2070, .centre_y = 2180, .radial_width = 4}},
    {.name = "top_64", .settings = {.top = 64}},
    {.name = "running", .settings = {.running = true}},
    {.name = "all_but_running",
     .settings = {.rois = rois,
                  .roi_count = 8,
                  .histogram_bins = 256,
                  .radial = true,
                  .centre_x = 2070,
                  .centre_y = 2180,
                  .radial_width = 4,
                  .top = 64}},
    {.name = "decode_then_all",
     .decodes = true,
     .settings = {.rois = rois,
                  .roi_count = 8,
                  .histogram_bins = 256,
                  .radial = true,
                  .centre_x = 2070,
                  .centre_y = 2180,
                  .radial_width = 4,
                  .top = 64}},
    {.name = "decode_with_all",
     .decodes = true,
     .is_fused = true,
     .settings = {.rois = rois,
                  .roi_count = 8,
                  .histogram_bins = 256,
                  .radial = true,
                  .centre_x = 2070,
                  .centre_y = 2180,
                  .radial_width = 4,
                  .top = 64}},
};
#define SUBJECT_COUNT (sizeof subjects / sizeof subjects[0])

static struct image {
    enum sluice_dtype dtype;
    void *pixels, *copy;
    uint32_t *mask;
    uint8_t *mask_plane, *payload;
    size_t payload_bytes;
} images[] = {{.dtype = SLUICE_U16}, {.dtype = SLUICE_U32}};
#define IMAGE_COUNT (sizeof images / sizeof images[0])

struct context {
    const struct subject *subject;
    struct image *image;
    enum sluice_cpu_level level;
};

/* --- images -------------------------------------------------------------------------------- */

static bool read_tile(uint16_t *tile, unsigned number)
{
    const char *shared = getenv("SLUICE_SHARED");
    size_t count = (size_t)TILE_WIDTH * TILE_HEIGHT;
    char path[4096];
    if (shared == NULL)
        return false;
    snprintf(path, sizeof path, "%s/data/jungfrau/frame_%02u_512x1024_u16le.raw", shared, number);
    FILE *file = fopen(path, "rb");
    bool ok = file != NULL && fread(tile, sizeof(*tile), count, file) == count;
    if (file != NULL)
        fclose(file);
    return ok;
}

static void make_tile(uint16_t *tile, unsigned number)
{
    uint64_t state = number + 1;
    for (size_t i = 0; i < (size_t)TILE_WIDTH * TILE_HEIGHT; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t r = (uint32_t)(state >> 33);
        tile[i] = (uint16_t)(r % 3 == 0 ? r >> 8 & 3 : r % 997 == 0 ? r >> 8 & 4095 : 0);
    }
}

static void put_tile(struct image *image, const uint16_t *tile, uint32_t left, uint32_t top)
{
    for (uint32_t y = top; y < HEIGHT && y < top + TILE_HEIGHT; y++) {
        for (uint32_t x = left; x < WIDTH && x < left + TILE_WIDTH; x++) {
            size_t i = (size_t)y * WIDTH + x;
            uint16_t v = tile[(y - top) * TILE_WIDTH + x - left];
            if (image->dtype == SLUICE_U16)
                ((uint16_t *)image->pixels)[i] = v;
            else
                ((uint32_t *)image->pixels)[i] = v == UINT16_MAX ? UINT32_MAX : v;
        }
    }
}

static bool encode_image(struct image *image, size_t bytes)
{
    size_t element_bytes = sluice_dtype_bytes(image->dtype);
    size_t capacity = sluice_codec_bound(SLUICE_ENCODING_BSLZ4, element_bytes, bytes);
    struct sluice_codec_scratch scratch = {0};
    memset(image->copy, 0, bytes);
    image->payload = malloc(capacity);
    image->mask_plane = malloc(sluice_mask_plane_bytes(WIDTH, HEIGHT));
    if (image->payload == NULL || image->mask_plane == NULL)
        return false;
    sluice_mask_plane_fill(image->mask_plane, image->mask, WIDTH, HEIGHT);
    bool ok =
        sluice_codec_encode(SLUICE_ENCODING_BSLZ4, image->pixels, bytes, element_bytes,
                            image->payload, capacity, &image->payload_bytes, &scratch) == SLUICE_OK;
    sluice_codec_scratch_close(&scratch);
    return ok;
}

static bool make_image(struct image *image)
{
    size_t bytes = PIXELS * sluice_dtype_bytes(image->dtype);
    uint16_t *tile = malloc(sizeof(*tile) * TILE_WIDTH * TILE_HEIGHT);
    if (image->pixels != NULL) {
        free(tile);
        return true;
    }
    image->pixels = malloc(bytes);
    image->copy = malloc(bytes);
    image->mask = calloc(PIXELS, sizeof(*image->mask));
    bool ok = tile != NULL && image->pixels != NULL && image->copy != NULL && image->mask != NULL;
    unsigned number = 0;
    for (uint32_t y = 0; ok && y < HEIGHT; y += TILE_HEIGHT) {
        for (uint32_t x = 0; x < WIDTH; x += TILE_WIDTH) {
            if (!read_tile(tile, number % 12))
                make_tile(tile, number);
            put_tile(image, tile, x, y);
            number++;
        }
    }
    for (size_t i = 0; ok && i < PIXELS; i++)
        image->mask[i] = i % 199 == 0 || (i / WIDTH) % 550 > 511;
    free(tile);
    return ok && encode_image(image, bytes);
}

/* --- what is measured ---------------------------------------------------------------------- */

static enum sluice_status decode_first(struct image *image, uint64_t number,
                                       struct sluice_survey *survey, struct sluice_stats *stats,
                                       struct sluice_stats_scratch *scratch)
{
    const struct sluice_span payload = {image->payload, image->payload_bytes};
    size_t element_bytes = sluice_dtype_bytes(image->dtype);
    enum sluice_status status =
        sluice_codec_decode(SLUICE_ENCODING_BSLZ4, payload, element_bytes, image->copy,
                            PIXELS * element_bytes, &scratch->codec);
    if (status == SLUICE_OK)
        status =
            sluice_stats_plane(image->copy, WIDTH, HEIGHT, image->dtype, image->mask, NULL, stats);
    sluice_survey_plane(survey, number, image->copy);
    return status;
}

static enum sluice_status by_blocks(struct image *image, uint64_t number,
                                    struct sluice_survey *survey, struct sluice_stats *stats,
                                    struct sluice_stats_scratch *scratch)
{
    const struct sluice_span payload = {image->payload, image->payload_bytes};
    const struct sluice_stats_channel channel = {.width = WIDTH,
                                                 .height = HEIGHT,
                                                 .dtype = image->dtype,
                                                 .mask = image->mask,
                                                 .mask_plane = image->mask_plane,
                                                 .survey = survey};
    sluice_survey_begin(survey, number);
    enum sluice_status status =
        sluice_stats_payload(&channel, SLUICE_ENCODING_BSLZ4, payload, scratch, stats, NULL);
    sluice_survey_end(survey);
    return status;
}

static void measure(struct sluice_bench *bench)
{
    const struct context *context = sluice_bench_context(bench);
    const struct subject *subject = context->subject;
    struct image *image = context->image;
    struct sluice_survey *survey = NULL;
    struct sluice_stats_scratch scratch = {0};
    struct sluice_stats stats;
    enum sluice_status status = SLUICE_OK;
    size_t bytes = PIXELS * sluice_dtype_bytes(image->dtype);
    if (!make_image(image) || (!subject->copies && !subject->basic &&
                               sluice_survey_create(&subject->settings, WIDTH, HEIGHT, image->dtype,
                                                    image->mask, &survey, NULL) != SLUICE_OK)) {
        sluice_bench_fail(bench, "no image, or no memory");
        return;
    }
    sluice_cpu_limit(context->level);
    if (survey) /* the memory of the images of the series is touched */
        sluice_survey_plane(survey, 0, image->pixels);
    for (uint64_t number = 1; sluice_bench_next(bench); number++) {
        if (subject->copies)
            memcpy(image->copy, image->pixels, bytes);
        else if (subject->basic)
            sluice_stats_plane(image->pixels, WIDTH, HEIGHT, image->dtype, image->mask, NULL,
                               &stats);
        else if (subject->is_fused)
            status = by_blocks(image, number, survey, &stats, &scratch);
        else if (subject->decodes)
            status = decode_first(image, number, survey, &stats, &scratch);
        else
            sluice_survey_plane(survey, number, image->pixels);
        sluice_bench_keep(image->copy);
    }
    sluice_cpu_limit(SLUICE_CPU_AVX512);
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    sluice_bench_set_bytes(bench, sluice_bench_iterations(bench) * (int64_t)bytes);
    if (status != SLUICE_OK)
        sluice_bench_fail(bench, "the payload does not decode");
    sluice_stats_scratch_close(&scratch);
    sluice_survey_close(survey);
}

void sluice_micro_survey(void)
{
    static struct context contexts[SUBJECT_COUNT][IMAGE_COUNT][SLUICE_CPU_LEVEL_COUNT];
    enum sluice_cpu_level best = sluice_cpu_level();
    for (size_t k = 0; k < IMAGE_COUNT; k++) {
        for (size_t i = 0; i < SUBJECT_COUNT; i++) {
            for (unsigned level = 0; level <= best; level++) {
                bool has_levels = !subjects[i].copies && !subjects[i].basic;
                if (!has_levels && level != best)
                    continue;
                contexts[i][k][level] =
                    (struct context){&subjects[i], &images[k], (enum sluice_cpu_level)level};
                char name[96];
                snprintf(name, sizeof name, "stats/%s/%s/%s", subjects[i].name,
                         sluice_dtype_name(images[k].dtype),
                         has_levels ? sluice_cpu_level_name((enum sluice_cpu_level)level) : "any");
                sluice_bench_register(&(struct sluice_bench_case){
                    .name = name, .run = measure, .context = &contexts[i][k][level]});
            }
        }
    }
}
