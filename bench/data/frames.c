/* SPDX-License-Identifier: Apache-2.0
 *
 * Captured frames are kept as one pile of 16-bit tiles; tile t of frame k is the (7 k + t)-th of
 * the pile, so that no two frames of a series are alike and no neighbours in a frame are. */
#include "bench/data/frames.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/detector/scene.h"

#define SEED       20260101
#define TILES_MAX  64
#define STRIDE     7 /* between the first tiles of two frames */
#define CUT_STRIDE 64

struct tiles {
    uint32_t width, height, count;
    uint16_t *pixels[TILES_MAX];
};

bool sluice_shared_folder(const char *name, char *path, size_t bytes)
{
    const char *const places[] = {getenv("SLUICE_SHARED"), "../shared"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i] == NULL)
            continue;
        int length = snprintf(path, bytes, "%s/%s", places[i], name);
        if (length > 0 && (size_t)length < bytes && access(path, R_OK | X_OK) == 0)
            return true;
    }
    return false;
}

static bool has_shape(const char *name, uint32_t *width, uint32_t *height)
{
    const char *shape = strrchr(name, '_');
    const size_t length = strlen(name);
    if (shape == NULL || length < 10 || strcmp(shape, "_u16le.raw") != 0)
        return false;
    while (shape > name && *--shape != '_') {
    }
    return sscanf(shape, "_%ux%u_", height, width) == 2 && *width != 0 && *height != 0 &&
           *width <= 65536 && *height <= 65536;
}

static int is_frame(const struct dirent *entry)
{
    uint32_t width, height;
    return has_shape(entry->d_name, &width, &height);
}

static enum sluice_status read_tile(struct tiles *tiles, const char *folder, const char *name,
                                    struct sluice_error *error)
{
    char path[4096];
    uint32_t width = 0, height = 0;
    has_shape(name, &width, &height);
    if (tiles->count > 0 && (width != tiles->width || height != tiles->height))
        return sluice_error_set(error, SLUICE_MALFORMED, "%s/%s: not of the others' shape", folder,
                                name);
    tiles->width = width;
    tiles->height = height;
    const size_t pixels = (size_t)width * height;
    uint16_t *tile = malloc(pixels * 2);
    if (tile == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for %s/%s", folder, name);
    tiles->pixels[tiles->count++] = tile;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rbe");
    const bool good = file != NULL && fread(tile, 2, pixels, file) == pixels;
    const int code = errno;
    if (file != NULL)
        fclose(file);
    return good ? SLUICE_OK
                : sluice_error_errno(error, SLUICE_IO, code, "cannot read all of %s", path);
}

static enum sluice_status read_tiles(struct tiles *tiles, const char *folder,
                                     struct sluice_error *error)
{
    struct dirent **entries = NULL;
    enum sluice_status status = SLUICE_OK;
    const int count = scandir(folder, &entries, is_frame, alphasort);
    if (count <= 0)
        status = sluice_error_set(error, SLUICE_NOT_FOUND, "%s: no *_HxW_u16le.raw there", folder);
    for (int i = 0; i < count; i++) {
        if (status == SLUICE_OK && i < TILES_MAX)
            status = read_tile(tiles, folder, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* `pixels` of a frame get `count` counts from `x` on. */
static void put_counts(uint8_t *pixels, size_t x, const uint16_t *counts, size_t count,
                       enum sluice_dtype dtype)
{
    for (size_t i = 0; i < count; i++) {
        const uint16_t value = counts[i];
        if (dtype == SLUICE_U8)
            pixels[x + i] = value < UINT8_MAX ? (uint8_t)value : UINT8_MAX - 1;
        else if (dtype == SLUICE_U16)
            ((uint16_t *)(void *)pixels)[x + i] = value;
        else
            ((uint32_t *)(void *)pixels)[x + i] = value;
    }
}

static void tile_frame(struct sluice_frames *frames, const struct tiles *tiles, uint32_t frame)
{
    uint8_t *pixels = frames->pixels + (size_t)frame * frames->frame_bytes;
    const uint32_t across = (frames->width + tiles->width - 1) / tiles->width;
    /* a frame that is cut out of one tile is cut somewhere else each time */
    const uint32_t shift_x = tiles->width > frames->width ? frame / tiles->count * CUT_STRIDE %
                                                                (tiles->width - frames->width + 1)
                                                          : 0;
    const uint32_t shift_y =
        tiles->height > frames->height
            ? frame / tiles->count * CUT_STRIDE % (tiles->height - frames->height + 1)
            : 0;
    for (uint32_t y = 0; y < frames->height; y++) {
        for (uint32_t x = 0; x < frames->width; x += tiles->width) {
            const uint32_t place = y / tiles->height * across + x / tiles->width;
            const uint16_t *tile = tiles->pixels[(frame * STRIDE + place) % tiles->count];
            const uint16_t *row = tile + (size_t)((y + shift_y) % tiles->height) * tiles->width;
            const uint32_t left = frames->width - x;
            put_counts(pixels, (size_t)y * frames->width + x, row + shift_x,
                       left < tiles->width ? left : tiles->width, frames->dtype);
        }
    }
}

static enum sluice_status load_captured(struct sluice_frames *frames, const char *folder,
                                        struct sluice_error *error)
{
    struct tiles tiles = {0};
    const enum sluice_status status = read_tiles(&tiles, folder, error);
    for (uint32_t i = 0; status == SLUICE_OK && i < frames->count; i++)
        tile_frame(frames, &tiles, i);
    for (uint32_t i = 0; i < tiles.count; i++)
        free(tiles.pixels[i]);
    return status;
}

static enum sluice_status make(struct sluice_frames *frames, const struct sluice_model *model,
                               struct sluice_error *error)
{
    struct sluice_scene scene = {0};
    const struct sluice_scene_settings settings = {.model = model,
                                                   .dtype = frames->dtype,
                                                   .channel_count = 1,
                                                   .frame_time = 1e-3,
                                                   .seed = SEED};
    if (sluice_scene_init(&scene, &settings, error) != SLUICE_OK)
        return SLUICE_NO_MEMORY;
    for (uint32_t i = 0; i < frames->count; i++) {
        sluice_scene_expose(&scene, i);
        sluice_scene_read(&scene, 0, frames->pixels + (size_t)i * frames->frame_bytes);
    }
    sluice_scene_close(&scene);
    return SLUICE_OK;
}

enum sluice_status sluice_frames_load(struct sluice_frames *frames, const char *counts,
                                      const struct sluice_model *model, enum sluice_dtype dtype,
                                      uint32_t count, struct sluice_error *error)
{
    *frames = (struct sluice_frames){
        .width = sluice_model_width(model),
        .height = sluice_model_height(model),
        .count = count,
        .dtype = dtype,
        .is_captured = counts != NULL,
    };
    frames->frame_bytes = (size_t)frames->width * frames->height * sluice_dtype_bytes(dtype);
    frames->pixels = malloc(frames->frame_bytes * count);
    if (frames->pixels == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for %u frames of %s", count,
                                model->name);
    const enum sluice_status status =
        counts != NULL ? load_captured(frames, counts, error) : make(frames, model, error);
    if (status != SLUICE_OK)
        sluice_frames_close(frames);
    return status;
}

void sluice_frames_close(struct sluice_frames *frames)
{
    free(frames->pixels);
    *frames = (struct sluice_frames){0};
}
