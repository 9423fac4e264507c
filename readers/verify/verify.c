/* SPDX-License-Identifier: Apache-2.0
 *
 * The set as a whole: data files first, one after the other, then what the masters say of them.
 *
 * DESIGN. Each data file is opened once, checked and closed, before any master is: so no dataset is
 * ever open twice in the process (lessons in docs/architecture.md). Masters are held against what
 * the data files turned out to be. Findings go out as they are found; nothing is kept of them but
 * counts.
 *
 * A set that is being written changes while it is looked at: masters are rewritten at intervals and
 * then lag behind the data files or are ahead of what was read of them; files are closed and come.
 * So of an unfinished set only what can never be is a fault. */
#include "readers/verify/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "readers/verify/internal.h"

const char *sluice_finding_name(enum sluice_finding_kind kind)
{
    static const char *const names[SLUICE_FINDING_KIND_COUNT] = {
        "open", "missing", "structure", "key",        "checksum", "chunk",
        "gap",  "master",  "abandoned", "unfinished", "lost",     "not_checked"};
    return (unsigned)kind < SLUICE_FINDING_KIND_COUNT ? names[kind] : "?";
}

bool sluice_finding_is_note(enum sluice_finding_kind kind)
{
    return kind >= SLUICE_FINDING_UNFINISHED;
}

const char *sluice_verdict_name(enum sluice_verdict verdict)
{
    static const char *const names[] = {"intact", "unfinished", "abandoned", "damaged"};
    return (unsigned)verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "?";
}

void sluice_verify_say(struct sluice_verify *verify, enum sluice_finding_kind kind,
                       const char *file, const char *dataset, const uint64_t *image,
                       const char *format, ...)
{
    char text[SLUICE_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct sluice_finding finding = {.kind = kind,
                                     .file = file,
                                     .dataset = dataset,
                                     .has_image = image != NULL,
                                     .image = image ? *image : 0,
                                     .text = text};
    verify->totals->kinds[kind]++;
    if (sluice_finding_is_note(kind))
        verify->totals->notes++;
    else
        verify->totals->faults++;
    if (verify->settings->finding)
        verify->settings->finding(verify->settings->context, &finding);
}

bool sluice_verify_stopped(const struct sluice_verify *verify)
{
    return verify->settings->stop && *verify->settings->stop;
}

void sluice_verify_pause(void)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000000L};
    nanosleep(&pause, NULL);
}

bool sluice_verify_reserve(struct sluice_verify *verify, size_t bytes)
{
    if (bytes <= verify->pixels_bytes)
        return true;
    free(verify->pixels);
    verify->pixels = malloc(bytes);
    verify->pixels_bytes = verify->pixels ? bytes : 0;
    return verify->pixels != NULL;
}

enum sluice_status sluice_verify_open(const char *path,
                                      const struct sluice_verify_settings *settings,
                                      struct sluice_verify **out, struct sluice_error *error)
{
    *out = NULL;
    sluice_follow_h5_start();
    struct sluice_verify *verify = calloc(1, sizeof(*verify));
    if (!verify)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to verify %s", path);
    verify->settings = settings;
    enum sluice_status status = sluice_set_resolve(&verify->set, path, error);
    if (status == SLUICE_OK) {
        const struct sluice_set *set = &verify->set;
        verify->files = calloc(set->count, sizeof(*verify->files));
        if (!verify->files)
            status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to verify %s", path);
        if (set->lone)
            snprintf(verify->name, sizeof(verify->name), "%s", set->files[0].path);
        else
            snprintf(verify->name, sizeof(verify->name), "%s/%s", set->directory, set->name);
    }
    if (status != SLUICE_OK) {
        sluice_verify_close(verify);
        return status;
    }
    *out = verify;
    return SLUICE_OK;
}

void sluice_verify_close(struct sluice_verify *verify)
{
    if (!verify)
        return;
    sluice_set_close(&verify->set);
    sluice_file_buffers_close(&verify->buffers);
    free(verify->files);
    free(verify->pixels);
    free(verify);
}

const char *sluice_verify_name(const struct sluice_verify *verify)
{
    return verify->name;
}

/* --- what several data files make together ------------------------------------------------- */

static void say_lost(struct sluice_verify *verify, const char *file, uint64_t from, uint64_t end)
{
    verify->totals->lost += end - from;
    sluice_verify_say(verify, SLUICE_FINDING_LOST, file, NULL, NULL,
                      "images %llu to %llu are in no file", (unsigned long long)from,
                      (unsigned long long)end - 1);
}

static void check_order(struct sluice_verify *verify)
{
    const struct sluice_set *set = &verify->set;
    uint64_t end = 0, full_rows = 0;
    bool any = false;
    for (size_t i = 0; i < set->count; i++) {
        const struct sluice_verify_file *file = &verify->files[i];
        if (!file->opened || !file->ours)
            continue;
        if (file->base < end)
            sluice_verify_say(verify, SLUICE_FINDING_STRUCTURE, set->files[i].path, NULL, NULL,
                              "it begins at image %llu, but the files before it go to %llu",
                              (unsigned long long)file->base, (unsigned long long)end - 1);
        else if (file->base > end && !verify->unfinished &&
                 (any || set->state != SLUICE_SET_UNKNOWN))
            say_lost(verify, set->files[i].path, end, file->base);
        bool closed = !file->growing && !file->abandoned, last = i + 1 == set->count;
        if (closed && full_rows && !last && file->rows != full_rows)
            sluice_verify_say(verify, SLUICE_FINDING_STRUCTURE, set->files[i].path, NULL, NULL,
                              "it holds %llu images, the first file %llu: every file but the last "
                              "has to hold as many",
                              (unsigned long long)file->rows, (unsigned long long)full_rows);
        if (closed && !full_rows)
            full_rows = file->rows;
        any = true;
        end = file->base + file->rows;
    }
}

/* The channel that NAME_master.h5 is of: its links say. */
static uint32_t first_channel(const struct sluice_verify *verify)
{
    for (uint32_t i = 0; i < verify->channel_count; i++)
        if (strcmp(verify->channels[i].dataset, verify->set.linked_dataset) == 0)
            return i;
    return 0;
}

static void check_masters(struct sluice_verify *verify)
{
    struct sluice_set *set = &verify->set;
    char path[2 * SLUICE_PATH_BYTES];
    bool any = false;
    if (set->lone) {
        if (verify->channel_count)
            sluice_verify_master(verify, set->files[0].path, false, 0);
        return;
    }
    verify->first_channel = first_channel(verify);
    for (uint32_t n = 0; n < 2 * verify->channel_count && !sluice_verify_stopped(verify); n++) {
        uint32_t channel = n / 2;
        bool nxs = n % 2, first = channel == verify->first_channel;
        enum sluice_status status =
            sluice_layout_master_path(set->directory, set->name, !first,
                                      verify->channels[channel].dataset, nxs, path, sizeof(path));
        if (status == SLUICE_OK && access(path, F_OK) == 0) {
            any = true;
            sluice_verify_master(verify, path, nxs, channel);
        } else if (verify->ours && set->master[0] && !verify->unfinished) {
            sluice_verify_say(verify, SLUICE_FINDING_MISSING, path, NULL, NULL,
                              "this master of the set is not there");
        }
    }
    if (!any)
        sluice_verify_say(verify, SLUICE_FINDING_NOT_CHECKED, verify->name, NULL, NULL,
                          "no master beside the data files: links, virtual dataset and number of "
                          "images are not checked");
}

static void say_lacks(struct sluice_verify *verify)
{
    static const struct {
        unsigned lack;
        const char *text;
    } lacks[] = {
        {SLUICE_LACK_IMAGE_ID, "no image_id column: which images are complete is not checked"},
        {SLUICE_LACK_CHECKSUM, "no checksums: stored bytes that still decode are not checked"},
        {SLUICE_LACK_MASK, "no pixel mask: not checked"},
    };
    if (!verify->has_mask && verify->channel_count)
        verify->lacks |= SLUICE_LACK_MASK;
    for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
        if (verify->lacks & lacks[i].lack)
            sluice_verify_say(verify, SLUICE_FINDING_NOT_CHECKED, verify->name, NULL, NULL, "%s",
                              lacks[i].text);
    if (verify->settings->without_pixels)
        sluice_verify_say(verify, SLUICE_FINDING_NOT_CHECKED, verify->name, NULL, NULL,
                          "the chunks themselves were left out");
}

enum sluice_status sluice_verify_run(struct sluice_verify *verify,
                                     struct sluice_verify_totals *totals,
                                     enum sluice_verdict *verdict)
{
    struct stat file;
    memset(totals, 0, sizeof(*totals));
    verify->totals = totals;
    for (size_t i = 0; i < verify->set.count; i++)
        verify->bytes_total +=
            stat(verify->set.files[i].path, &file) == 0 ? (uint64_t)file.st_size : 0;
    for (size_t i = 0; i < verify->set.count && !sluice_verify_stopped(verify); i++)
        sluice_verify_data(verify, i);
    verify->unfinished =
        verify->set.state == SLUICE_SET_WRITING || verify->growing || verify->abandoned;
    check_order(verify);
    check_masters(verify);
    if (sluice_verify_stopped(verify))
        return SLUICE_AGAIN;
    say_lacks(verify);
    H5Eclear2(H5E_DEFAULT);
    if (totals->faults > totals->kinds[SLUICE_FINDING_ABANDONED])
        *verdict = SLUICE_VERDICT_DAMAGED;
    else if (totals->faults)
        *verdict = SLUICE_VERDICT_ABANDONED;
    else if (totals->kinds[SLUICE_FINDING_UNFINISHED])
        *verdict = SLUICE_VERDICT_UNFINISHED;
    else
        *verdict = SLUICE_VERDICT_INTACT;
    return SLUICE_OK;
}
