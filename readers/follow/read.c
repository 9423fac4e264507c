/* SPDX-License-Identifier: Apache-2.0
 *
 * What a follower tells: its channels, their masters' facts, and chunks, pixels and cells of rows
 * that it gave. Files that were released are opened again for a row. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/log.h"
#include "readers/follow/internal.h"

#define PAUSE_NS      (2 * SLUICE_NS_PER_MS)
#define MASTER_LOOKS  2500  /* 5 s of pauses */
#define OTHERS_LOOKS  500   /* 1 s */
#define ALL_LOOKS     60000 /* 2 min, whatever goes on */
#define ACTIVITY_EACH 50
#define YOUNG_S       60

/* --- channels ------------------------------------------------------------------------------ */

uint32_t sluice_follow_channel_count(const struct sluice_follow *follow)
{
    return follow->channel_count;
}

const struct sluice_follow_channel *sluice_follow_channel(const struct sluice_follow *follow,
                                                          uint32_t channel)
{
    return &follow->channels[channel];
}

/* A closed file without a master: of a series that has just ended, where one is on its way, or a
 * lone copy. */
static bool is_young(const struct sluice_follow_file *file)
{
    struct stat status;
    return stat(file->path, &status) == 0 && time(NULL) - status.st_mtim.tv_sec < YOUNG_S;
}

/* How often to look in vain. */
static int looks_most(const struct sluice_follow *follow)
{
    const struct sluice_set *set = &follow->set;
    bool coming = set->state == SLUICE_SET_WRITING; /* its files may be closed */
    for (size_t i = 0; i < follow->file_count && !coming; i++)
        coming = follow->files[i]->live || (!set->master[0] && is_young(follow->files[i]));
    return coming ? MASTER_LOOKS : set->master[0] ? OTHERS_LOOKS : 0;
}

/* The master comes with the first data file, perhaps a moment later, or, of a short series, behind
 * it. Looks are counted, and not seconds: where the whole machine stands still nothing is missed;
 * and they begin anew while masters are being written, which may take long. Once the first
 * channel's says "done" all others are there. */
static bool wait_for_master(struct sluice_follow *follow, uint32_t channel, char *path,
                            size_t bytes)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    uint64_t seen = 0;
    for (int all = 0, looks = 0; all < ALL_LOOKS; all++, looks++) {
        sluice_set_read_master(&follow->set);
        if (sluice_set_channel_master(&follow->set, follow->channels[channel].dataset,
                                      follow->channel_count, path, bytes))
            return true;
        if (follow->set.lone)
            return false;
        if (looks % ACTIVITY_EACH == 0) {
            const uint64_t activity = sluice_set_master_activity(&follow->set);
            looks = activity == seen ? looks : 0;
            seen = activity;
        }
        const int most = looks_most(follow);
        if (looks >= most) {
            if (most > 0)
                sluice_log_warning("follow",
                                   "the master of channel %s does not come: neither its mask nor "
                                   "saturation value nor beam centre is known",
                                   follow->channels[channel].name);
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static struct sluice_facts *channel_facts(struct sluice_follow *follow, uint32_t channel)
{
    struct sluice_facts *facts = &follow->facts[channel];
    char path[SLUICE_PATH_BYTES];
    if (facts->read)
        return facts;
    facts->read = true;
    if (!wait_for_master(follow, channel, path, sizeof(path)))
        return facts;
    sluice_facts_read(facts, path, &follow->channels[channel]);
    return facts;
}

const uint32_t *sluice_follow_mask(struct sluice_follow *follow, uint32_t channel)
{
    return channel_facts(follow, channel)->mask;
}

bool sluice_follow_saturation(struct sluice_follow *follow, uint32_t channel, int64_t *value)
{
    const struct sluice_facts *facts = channel_facts(follow, channel);
    if (facts->has_saturation)
        *value = facts->saturation;
    return facts->has_saturation;
}

bool sluice_follow_beam(struct sluice_follow *follow, uint32_t channel, double *x, double *y)
{
    const struct sluice_facts *facts = channel_facts(follow, channel);
    *x = facts->beam_x;
    *y = facts->beam_y;
    return facts->has_beam;
}

unsigned sluice_follow_lacks(struct sluice_follow *follow)
{
    unsigned lacks = 0;
    for (size_t i = 0; i < follow->file_count; i++) {
        const struct sluice_follow_file *file = follow->files[i];
        if (!file->group[0])
            continue; /* not opened yet */
        lacks |= file->has_key ? 0 : SLUICE_LACK_IMAGE_ID;
        lacks |= file->has_checksum ? 0 : SLUICE_LACK_CHECKSUM;
    }
    for (uint32_t i = 0; i < follow->channel_count; i++)
        lacks |= sluice_follow_mask(follow, i) ? 0 : SLUICE_LACK_MASK;
    return lacks;
}

/* --- rows --------------------------------------------------------------------------------------
 */

static struct sluice_follow_file *file_of(struct sluice_follow *follow,
                                          const struct sluice_follow_row *row, uint32_t channel,
                                          struct sluice_error *error)
{
    if (row->status != SLUICE_ROW_WRITTEN || row->file >= follow->file_count ||
        channel >= follow->channel_count) {
        sluice_error_set(error, SLUICE_NOT_FOUND, "image %llu has no chunk",
                         (unsigned long long)row->image);
        return NULL;
    }
    struct sluice_follow_file *file = follow->files[row->file];
    if (!file->is_open &&
        sluice_file_open(file, follow->channels, &follow->channel_count, error) != SLUICE_OK)
        return NULL;
    return file;
}

enum sluice_status sluice_follow_chunk(struct sluice_follow *follow,
                                       const struct sluice_follow_row *row, uint32_t channel,
                                       struct sluice_span *chunk, enum sluice_encoding *encoding,
                                       struct sluice_error *error)
{
    *chunk = (struct sluice_span){0};
    struct sluice_follow_file *file = file_of(follow, row, channel, error);
    if (!file)
        return error && error->status != SLUICE_OK ? error->status : SLUICE_NOT_FOUND;
    size_t bytes = 0;
    enum sluice_status status =
        sluice_file_chunk(file, row->row, channel, &follow->channels[channel], &follow->buffers,
                          &bytes, encoding, error);
    if (status == SLUICE_OK)
        *chunk = (struct sluice_span){.data = follow->buffers.chunk, .bytes = bytes};
    return status;
}

enum sluice_status sluice_follow_payload(struct sluice_follow *follow,
                                         const struct sluice_follow_row *row, uint32_t channel,
                                         struct sluice_span *payload,
                                         enum sluice_encoding *encoding, struct sluice_error *error)
{
    struct sluice_error why = {0};
    struct sluice_follow_file *file = file_of(follow, row, channel, &why);
    enum sluice_status status = why.status;
    *payload = (struct sluice_span){0};
    if (file)
        status = sluice_file_payload(file, row->row, channel, &follow->channels[channel],
                                     &follow->buffers, payload, encoding, &why);
    if (status != SLUICE_OK && error && error->status == SLUICE_OK)
        *error = why;
    return status;
}

bool sluice_follow_is_direct(struct sluice_follow *follow, const struct sluice_follow_row *row,
                             uint32_t channel)
{
    const struct sluice_follow_file *file = file_of(follow, row, channel, NULL);
    return file && !file->channels[channel].indirect;
}

enum sluice_status sluice_follow_pixels(struct sluice_follow *follow,
                                        const struct sluice_follow_row *row, uint32_t channel,
                                        void *pixels, size_t bytes, struct sluice_error *error)
{
    struct sluice_error why = {0};
    struct sluice_follow_file *file = file_of(follow, row, channel, &why);
    enum sluice_status status = why.status;
    if (file) {
        const struct sluice_follow_channel *shape = &follow->channels[channel];
        if (bytes != (size_t)shape->width * shape->height * sluice_dtype_bytes(shape->dtype))
            return sluice_error_set(error, SLUICE_USAGE, "%zu bytes are not a plane", bytes);
        status = sluice_file_pixels(file, row->row, channel, shape, pixels, &follow->buffers, &why);
    }
    if (status != SLUICE_OK && error && error->status == SLUICE_OK)
        *error = why;
    return status;
}

bool sluice_follow_checksum(struct sluice_follow *follow, const struct sluice_follow_row *row,
                            uint32_t channel, uint64_t *checksum)
{
    struct sluice_follow_file *file = file_of(follow, row, channel, NULL);
    return file && sluice_file_checksum(file, row->row, channel, checksum);
}

enum sluice_status sluice_follow_column(struct sluice_follow *follow,
                                        const struct sluice_follow_row *row, const char *name,
                                        enum sluice_follow_cell kind, void *value, size_t bytes,
                                        struct sluice_error *error)
{
    if (!name || !value || bytes == 0)
        return sluice_error_set(error, SLUICE_USAGE, "no column or no room for its cell");
    struct sluice_error why = {0};
    struct sluice_follow_file *file = file_of(follow, row, 0, &why);
    enum sluice_status status = why.status;
    if (file)
        status =
            sluice_file_column(file, follow->channels, row->row, name, kind, value, bytes, &why);
    if (status != SLUICE_OK && error && error->status == SLUICE_OK)
        *error = why;
    return status;
}

const char *sluice_follow_path(const struct sluice_follow *follow, uint32_t file)
{
    return file < follow->file_count ? follow->files[file]->path : NULL;
}
