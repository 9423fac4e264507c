/* SPDX-License-Identifier: Apache-2.0
 *
 * DESIGN. HDF5 makes the file with room for every dataset and closes it; then the values are
 * written past HDF5, a slab of pixels at a time, so that memory does not grow with the image. The
 * file is linked to its name when it is complete: linking fails where there is one already. */
#include "readers/images/images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "writer/h5/h5.h"

#define SLAB_PIXELS 65536u
#define PATH_BYTES  4096

enum { MEAN, VARIANCE, MAXIMUM, SUM, IMAGES, DATASET_COUNT };

struct layout {
    uint64_t offset[DATASET_COUNT];
    bool has_sum;
};

/* --- structure ----------------------------------------------------------------------------- */

/* Names come from files: a slash in one is not a group. */
static void group_path(char *path, size_t bytes, const char *channel)
{
    static const char prefix[] = "entry/";
    snprintf(path, bytes, "%s%s", prefix, channel);
    for (char *c = path + strlen(prefix); *c; c++)
        *c = *c == '/' ? '_' : *c;
}

static enum sluice_status make_channel(hid_t file, const struct sluice_images_channel *c,
                                       struct layout *layout, struct sluice_error *error)
{
    static const char *const names[] = {"mean", "variance", "maximum", "sum", "images"};
    bool is_signed = c->dtype >= SLUICE_I8 && c->dtype <= SLUICE_I64;
    const enum sluice_dtype types[] = {SLUICE_F64, SLUICE_F64, c->dtype,
                                       is_signed ? SLUICE_I64 : SLUICE_U64, SLUICE_U32};
    const hsize_t shape[2] = {c->height, c->width};
    const int64_t count = (int64_t)sluice_survey_images(c->survey);
    const int64_t numbers[2] = {(int64_t)c->first_image, (int64_t)c->last_image};
    char path[SLUICE_NAME_BYTES + 16];
    hid_t group = H5I_INVALID_HID;
    group_path(path, sizeof(path), c->name);
    enum sluice_status status = sluice_h5_make_group(file, path, "NXdata", &group, error);
    if (status == SLUICE_OK)
        status = sluice_h5_attribute_text(group, "signal", "mean", error);
    layout->has_sum = sluice_dtype_bytes(c->dtype) <= 4 && !sluice_survey_is_real(c->survey);
    for (int d = 0; d < DATASET_COUNT && status == SLUICE_OK; d++)
        if (d != SUM || layout->has_sum)
            status = sluice_h5_dataset_reserve(group, names[d], types[d], 2, shape,
                                               &layout->offset[d], error);
    if (status == SLUICE_OK)
        status = sluice_h5_dataset(group, "image_count", SLUICE_I64, 0, NULL, &count, NULL, error);
    if (status == SLUICE_OK)
        status =
            sluice_h5_dataset(group, "first_image", SLUICE_I64, 0, NULL, &numbers[0], NULL, error);
    if (status == SLUICE_OK)
        status =
            sluice_h5_dataset(group, "last_image", SLUICE_I64, 0, NULL, &numbers[1], NULL, error);
    sluice_h5_close(&group);
    return status;
}

/* `layouts`: one a channel; those without an image are passed over. `made`: a file of ours is
 * there, whatever came after. */
static enum sluice_status make_file(const char *path, const char *source,
                                    const struct sluice_images_channel *channels, uint32_t count,
                                    struct layout *layouts, bool *made, struct sluice_error *error)
{
    hid_t entry = H5I_INVALID_HID, file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    char first_path[SLUICE_NAME_BYTES + 16];
    const char *first = NULL;
    if (file < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot create %s", path);
    *made = true;
    enum sluice_status status = sluice_h5_make_group(file, "entry", "NXentry", &entry, error);
    if (status == SLUICE_OK)
        status = sluice_h5_dataset_text(entry, "source", source, NULL, error);
    for (uint32_t i = 0; i < count && status == SLUICE_OK; i++) {
        if (sluice_survey_images(channels[i].survey) == 0)
            continue;
        if (!first)
            group_path(first_path, sizeof(first_path), channels[i].name);
        first = first_path + strlen("entry/");
        status = make_channel(file, &channels[i], &layouts[i], error);
    }
    if (status == SLUICE_OK)
        status = sluice_h5_attribute_text(entry, "default", first, error);
    if (status == SLUICE_OK)
        status = sluice_h5_attribute_text(file, "default", "entry", error);
    sluice_h5_close(&entry);
    if (H5Fclose(file) < 0 && status == SLUICE_OK)
        status = sluice_h5_error(error, SLUICE_IO, "cannot close %s", path);
    return status;
}

/* --- values -------------------------------------------------------------------------------- */

struct slab {
    double mean[SLAB_PIXELS], variance[SLAB_PIXELS];
    uint64_t max[SLAB_PIXELS], sum[SLAB_PIXELS];
    uint32_t images[SLAB_PIXELS];
};

static int write_channel(int fd, const struct sluice_images_channel *c, const struct layout *layout,
                         struct slab *slab)
{
    const struct sluice_running_part part = {slab->mean, slab->variance, slab->max, slab->sum,
                                             slab->images};
    const void *from[] = {slab->mean, slab->variance, slab->max, slab->sum, slab->images};
    const size_t bytes[] = {8, 8, sluice_dtype_bytes(c->dtype), 8, 4};
    uint64_t pixels = (uint64_t)c->width * c->height;
    int code = 0;
    for (uint64_t first = 0; first < pixels && code == 0; first += SLAB_PIXELS) {
        uint64_t count = pixels - first < SLAB_PIXELS ? pixels - first : SLAB_PIXELS;
        sluice_survey_running(c->survey, first, count, &part);
        for (int d = 0; d < DATASET_COUNT && code == 0; d++)
            if (d != SUM || layout->has_sum)
                code = sluice_write_fully(fd, from[d], count * bytes[d],
                                          layout->offset[d] + first * bytes[d]);
    }
    return code;
}

static enum sluice_status write_values(const char *path,
                                       const struct sluice_images_channel *channels, uint32_t count,
                                       const struct layout *layouts, struct stat *own,
                                       struct sluice_error *error)
{
    struct slab *slab = malloc(sizeof(*slab));
    int code = 0, fd = open(path, O_WRONLY | O_CLOEXEC);
    if (!slab || fd < 0)
        code = slab ? errno : ENOMEM;
    for (uint32_t i = 0; i < count && code == 0; i++)
        if (sluice_survey_images(channels[i].survey))
            code = write_channel(fd, &channels[i], &layouts[i], slab);
    if (code == 0 && fstat(fd, own) != 0)
        code = errno;
    if (fd >= 0 && close(fd) != 0 && code == 0)
        code = errno;
    free(slab);
    if (code == 0)
        return SLUICE_OK;
    return sluice_error_errno(error, code == ENOSPC ? SLUICE_NO_SPACE : SLUICE_IO, code,
                              "cannot write %s", path);
}

/* --- names --------------------------------------------------------------------------------- */

static enum sluice_status exists(const char *path, struct sluice_error *error)
{
    return sluice_error_set(error, SLUICE_EXISTS,
                            "%s exists already and is not replaced: name another file, or move "
                            "this one away",
                            path);
}

/* Whether a file can be made there, as far as that can be known before. */
enum sluice_status sluice_images_check(const struct sluice_images *images,
                                       struct sluice_error *error)
{
    struct stat there;
    if (lstat(images->path, &there) == 0)
        return exists(images->path, error);
    const char *slash = strrchr(images->path, '/');
    char folder[PATH_BYTES] = ".";
    if (slash)
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - images->path) + 1, images->path);
    if (errno != ENOENT || access(folder, W_OK | X_OK) != 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot write %s", images->path);
    return SLUICE_OK;
}

/* From its working name to `images->path`. */
static enum sluice_status publish(struct sluice_images *images, const char *working,
                                  const struct stat *own, struct sluice_error *error)
{
    struct stat there;
    bool is_ours = images->own.st_ino != 0 && lstat(images->path, &there) == 0 &&
                   there.st_ino == images->own.st_ino && there.st_dev == images->own.st_dev;
    int failed = is_ours ? rename(working, images->path) : link(working, images->path);
    if (failed && errno == EEXIST)
        return exists(images->path, error);
    if (failed)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot name %s", images->path);
    images->own = *own;
    return SLUICE_OK;
}

enum sluice_status sluice_images_write(struct sluice_images *images, const char *source,
                                       const struct sluice_images_channel *channels, uint32_t count,
                                       struct sluice_error *error)
{
    struct layout layouts[SLUICE_PLANES_MAX] = {0};
    struct stat own = {0};
    char working[PATH_BYTES];
    uint64_t all = 0;
    bool made = false;
    for (uint32_t i = 0; i < count; i++)
        all += sluice_survey_images(channels[i].survey);
    if (all == 0)
        return sluice_error_set(error, SLUICE_NOT_FOUND, "no image went in: %s is not written",
                                images->path);
    int length = snprintf(working, sizeof(working), "%s.%ld.tmp", images->path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof(working))
        return sluice_error_set(error, SLUICE_LIMIT, "the path of the images is too long");
    enum sluice_status status = make_file(working, source, channels, count, layouts, &made, error);
    if (status == SLUICE_OK)
        status = write_values(working, channels, count, layouts, &own, error);
    if (status == SLUICE_OK)
        status = publish(images, working, &own, error);
    if (made)
        unlink(working); /* after a rename there is none */
    return status;
}
