/* SPDX-License-Identifier: Apache-2.0
 *
 * Deciding on an arm. Checked in this order: is anything open or armed, are name and directory
 * safe, is the set free, have earlier drops been accepted, is there space. Nothing is created: a
 * refused arm leaves no trace.
 *
 * A name from outside is refused rather than changed: whoever gave it will look for exactly that
 * file. It is made of the components that we make ourselves (letters, digits, ._-), so no text of a
 * request can leave the first writer.directory; nor can it by a link that is there when it comes.
 */
#include "writer/sink/arm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "writer/layout/layout.h"

static uint64_t drops_so_far(const struct sluice_sink *sink)
{
    return sluice_counter_get(sink->counters, SLUICE_COUNTER_SOURCE_DROPPED) +
           sluice_counter_get(sink->counters, SLUICE_COUNTER_WRITER_FAILED);
}

/* Every component is one that sluice_layout_safe_component leaves as it is. */
static bool is_safe_path(const char *path)
{
    char safe[SLUICE_ARM_DIRECTORY_BYTES];
    while (*path != '\0') {
        const size_t length = strcspn(path, "/");
        const struct sluice_span component = {(const uint8_t *)path, length};
        if (length == 0 || length >= sizeof(safe))
            return false;
        sluice_layout_safe_component(component, safe, sizeof(safe));
        if (strlen(safe) != length || memcmp(safe, path, length) != 0)
            return false;
        path += length;
        if (*path == '/' && path[1] == '\0')
            return false;
        path += *path == '/';
    }
    return true;
}

/* What of `path` is left below `root`; NULL: it lies elsewhere. */
static const char *below(const char *root, const char *path)
{
    const size_t bytes = strlen(root);
    if (bytes == 0 || strncmp(path, root, bytes) != 0 ||
        (path[bytes] != '/' && path[bytes] != '\0' && root[bytes - 1] != '/'))
        return NULL;
    return path + bytes + (path[bytes] == '/');
}

/* Takes the first writer.directory off an absolute directory; a closing '/' too. */
static bool make_relative(const struct sluice_sink *sink, struct sluice_arm *arm)
{
    char *directory = arm->directory;
    size_t length = strlen(directory);
    while (length > 1 && directory[length - 1] == '/')
        directory[--length] = '\0';
    if (directory[0] != '/')
        return true;
    const char *rest = below(sink->directories[0], directory);
    if (rest == NULL)
        rest = below(sink->settings->directories[0], directory);
    if (rest != NULL)
        memmove(directory, rest, strlen(rest) + 1);
    return rest != NULL;
}

/* Links of somebody else must not lead out of the configured directories. */
static bool is_inside(const struct sluice_sink *sink, const char *real)
{
    for (size_t d = 0; d < sink->settings->directory_count; d++)
        if (below(sink->directories[d], real) != NULL)
            return true;
    return false;
}

/* The part of the directory that is there already: inside, a directory, and ours to write. */
static bool check_place(const struct sluice_sink *sink, size_t d, const struct sluice_arm *arm,
                        struct sluice_error *error)
{
    char path[SLUICE_PATH_BYTES], *real;
    struct stat there = {0};
    const size_t root = strlen(sink->directories[d]);
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", sink->directories[d], arm->directory) >=
        sizeof(path))
        return true; /* the length of whole paths is looked at below */
    while ((real = realpath(path, NULL)) == NULL && errno == ENOENT && strlen(path) > root &&
           lstat(path, &there) != 0)
        *strrchr(path, '/') = '\0';
    const int code = errno;
    const bool inside = real != NULL && is_inside(sink, real);
    const bool usable = inside && stat(real, &there) == 0 && S_ISDIR(there.st_mode) &&
                        access(real, W_OK | X_OK) == 0;
    if (real != NULL && !inside)
        sluice_error_set(error, SLUICE_CONFIG,
                         "directory: %s is a link that leads out of writer.directory", path);
    else if (!usable)
        sluice_error_set(error, SLUICE_CONFIG, "directory: nothing can be made in %s: %s", path,
                         strerror(real == NULL             ? code
                                  : S_ISDIR(there.st_mode) ? EACCES
                                                           : ENOTDIR));
    free(real);
    return usable;
}

/* The pattern of the armed series' NAME: "directory/name", or with writer.name. */
static bool make_pattern(const struct sluice_sink *sink, const struct sluice_arm *arm,
                         char *pattern, size_t bytes)
{
    const int length =
        snprintf(pattern, bytes, "%s%s%s", arm->directory, arm->directory[0] != '\0' ? "/" : "",
                 arm->name[0] != '\0' ? arm->name : sink->settings->name);
    return length > 0 && (size_t)length < bytes;
}

/* Whether files of the explicit name are there; no series is open that could be asked. */
static bool is_taken(const struct sluice_sink *sink, const char *name, bool *taken)
{
    struct sluice_open_series *probe = calloc(1, sizeof(*probe));
    if (probe == NULL)
        return false;
    probe->sink = sink;
    *taken = sluice_series_name_is_taken(probe, name);
    free(probe);
    return true;
}

static enum sluice_arm_verdict check_name(const struct sluice_sink *sink, struct sluice_arm *arm,
                                          struct sluice_error *error)
{
    char pattern[SLUICE_SET_NAME_BYTES - 24], name[SLUICE_SET_NAME_BYTES - 24];
    char path[SLUICE_PATH_BYTES];
    bool taken = false;
    if (!make_relative(sink, arm)) {
        sluice_error_set(error, SLUICE_CONFIG, "directory: it must lie below %s",
                         sink->directories[0]);
        return SLUICE_ARM_BAD_NAME;
    }
    if (!is_safe_path(arm->directory) || !is_safe_path(arm->name) ||
        strchr(arm->name, '/') != NULL) {
        sluice_error_set(error, SLUICE_CONFIG,
                         "%s: letters, digits and ._- are allowed, no leading dot%s",
                         is_safe_path(arm->directory) ? "name" : "directory",
                         is_safe_path(arm->directory) ? " and no /" : ", and / between them");
        return SLUICE_ARM_BAD_NAME;
    }
    for (size_t d = 0; d < sink->settings->directory_count; d++)
        if (!check_place(sink, d, arm, error))
            return SLUICE_ARM_BAD_NAME;
    struct sluice_series *nobody = sluice_series_create();
    if (nobody == NULL)
        return SLUICE_ARM_FAULT;
    const enum sluice_status status =
        !make_pattern(sink, arm, pattern, sizeof(pattern))
            ? sluice_error_set(error, SLUICE_LIMIT, "directory and name have more than %zu bytes",
                               sizeof(pattern) - 1)
            : sluice_layout_series_name(pattern, nobody, sink->clock->real_ns(sink->clock), name,
                                        sizeof(name), error);
    sluice_series_destroy(nobody);
    if (status != SLUICE_OK)
        return SLUICE_ARM_BAD_NAME;
    if (arm->name[0] == '\0')
        return SLUICE_ARM_ACCEPTED;
    if (sluice_layout_data_path(sink->directories[0], name, 999999, path, sizeof(path)) !=
        SLUICE_OK) {
        sluice_error_set(error, SLUICE_LIMIT, "directory and name make paths that are too long");
        return SLUICE_ARM_BAD_NAME;
    }
    if (!is_taken(sink, name, &taken))
        return SLUICE_ARM_FAULT;
    if (!taken)
        return SLUICE_ARM_ACCEPTED;
    sluice_error_set(error, SLUICE_EXISTS,
                     "files of the name %s exist below writer.directory: nothing is overwritten, "
                     "choose another name",
                     name);
    return SLUICE_ARM_EXISTS;
}

/* What the armed images will take: exactly what is known from the last series of that shape, else
 * nothing is known, since they are compressed. */
static uint64_t bytes_needed(const struct sluice_arming *arming, const struct sluice_arm *arm)
{
    uint64_t bytes;
    if (arm->images == 0 || arming->last_image_bytes == 0 ||
        (arm->width != 0 &&
         (arm->width != arming->last_width || arm->height != arming->last_height)))
        return 0;
    return __builtin_mul_overflow(arm->images, arming->last_image_bytes, &bytes) ? UINT64_MAX
                                                                                 : bytes;
}

static enum sluice_arm_verdict check_space(const struct sluice_arming *arming,
                                           const struct sluice_sink *sink,
                                           const struct sluice_arm *arm, struct sluice_error *error)
{
    const uint64_t needed = bytes_needed(arming, arm);
    const uint64_t least = sink->settings->free_space_alarm_bytes;
    uint64_t together = 0, most = 0;
    for (size_t d = 0; d < sink->settings->directory_count; d++) {
        const uint64_t bytes = sluice_sink_free_space(sink->directories[d]);
        most = bytes > most ? bytes : most;
        together = bytes > UINT64_MAX - together ? UINT64_MAX : together + bytes;
    }
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_FREE_SPACE, most);
    if (most < least) {
        sluice_error_set(error, SLUICE_NO_SPACE,
                         "no space: %" PRIu64 " bytes are free below writer.directory, "
                         "writer.free_space_alarm_bytes asks for %" PRIu64 ": make room",
                         most, least);
        return SLUICE_ARM_NO_SPACE;
    }
    if (together < needed) {
        sluice_error_set(error, SLUICE_NO_SPACE,
                         "no space: %" PRIu64 " bytes are free below writer.directory, %" PRIu64
                         " images like the last series' need about %" PRIu64 ": make room",
                         together, arm->images, needed);
        return SLUICE_ARM_NO_SPACE;
    }
    return SLUICE_ARM_ACCEPTED;
}

static enum sluice_arm_verdict judge(const struct sluice_arming *arming,
                                     const struct sluice_sink *sink, struct sluice_arm *arm,
                                     const struct sluice_open_series *series,
                                     struct sluice_error *error)
{
    const uint64_t drops = drops_so_far(sink);
    if (arm->series_open || series != NULL) {
        sluice_error_set(error, SLUICE_EXISTS,
                         "already writing: a series is open%s%s; stop it, or wait for its end",
                         series != NULL ? ", name " : "", series != NULL ? series->name : "");
        return SLUICE_ARM_BUSY;
    }
    if (arming->arm != NULL) {
        sluice_error_set(error, SLUICE_EXISTS, "armed already%s%s: stop takes it back",
                         arming->arm->acquisition_id[0] != '\0' ? " as acquisition_id " : "",
                         arming->arm->acquisition_id);
        return SLUICE_ARM_BUSY;
    }
    const enum sluice_arm_verdict verdict = check_name(sink, arm, error);
    if (verdict != SLUICE_ARM_ACCEPTED)
        return verdict;
    if (drops > arming->drops_accepted && !arm->accept_drops) {
        sluice_error_set(error, SLUICE_LIMIT,
                         "drops unexplained: %" PRIu64 " images of earlier series were dropped or "
                         "could not be written; find out why, then arm with accept_drops",
                         drops - arming->drops_accepted);
        return SLUICE_ARM_DROPS;
    }
    return check_space(arming, sink, arm, error);
}

static void put_paths(struct sluice_series_facts *facts, const struct sluice_sink *sink,
                      size_t directory, const char *name)
{
    if (sluice_layout_master_path(sink->directories[directory], name, 0, NULL, false, facts->master,
                                  sizeof(facts->master)) != SLUICE_OK)
        return;
    snprintf(facts->directory, sizeof(facts->directory), "%s", facts->master);
    *strrchr(facts->directory, '/') = '\0';
    snprintf(facts->name, sizeof(facts->name), "%s", sluice_layout_base_name(name));
}

static struct sluice_series_facts *facts_of_arm(const struct sluice_sink *sink,
                                                const struct sluice_arm *arm)
{
    char name[SLUICE_SET_NAME_BYTES];
    struct sluice_series_facts *facts = calloc(1, sizeof(*facts));
    if (facts == NULL)
        return NULL;
    facts->armed = true;
    memcpy(facts->acquisition_id, arm->acquisition_id, sizeof(facts->acquisition_id));
    facts->images_expected = arm->images;
    facts->width = arm->width;
    facts->height = arm->height;
    facts->has_dtype = arm->has_dtype;
    facts->dtype = arm->dtype;
    if (arm->name[0] != '\0' && make_pattern(sink, arm, name, sizeof(name)))
        put_paths(facts, sink, 0, name);
    return facts;
}

struct sluice_series_facts *sluice_series_facts(const struct sluice_open_series *series)
{
    const struct sluice_series *metadata = series->metadata;
    struct sluice_series_facts *facts = calloc(1, sizeof(*facts));
    if (facts == NULL)
        return NULL;
    facts->armed = series->arm != NULL;
    if (series->arm != NULL)
        memcpy(facts->acquisition_id, series->arm->acquisition_id, sizeof(facts->acquisition_id));
    put_paths(facts, series->sink, series->created_count > 0 ? series->masters.directory : 0,
              series->name);
    facts->images_expected = metadata->number_of_images;
    facts->width = series->has_shape ? series->channels[0].width : metadata->width;
    facts->height = series->has_shape ? series->channels[0].height : metadata->height;
    facts->has_dtype = facts->width != 0;
    facts->dtype = series->has_shape ? series->channels[0].dtype : metadata->dtype;
    facts->channel_count = series->channel_count;
    for (uint32_t c = 0; c < series->channel_count; c++) {
        memcpy(facts->channels[c].name, series->channels[c].name, SLUICE_NAME_BYTES);
        memcpy(facts->channels[c].dataset, series->channels[c].dataset, SLUICE_NAME_BYTES);
    }
    return facts;
}

static void say_decision(const struct sluice_arm *arm, enum sluice_arm_verdict verdict,
                         const struct sluice_error *error)
{
    if (verdict == SLUICE_ARM_ACCEPTED)
        sluice_log_info("writer", "armed name=%s directory=%s images=%" PRIu64 " acquisition_id=%s",
                        arm->name[0] != '\0' ? arm->name : "-",
                        arm->directory[0] != '\0' ? arm->directory : ".", arm->images,
                        arm->acquisition_id[0] != '\0' ? arm->acquisition_id : "-");
    else
        sluice_log_warning("writer", "arm refused: %s", error->message);
}

void sluice_arming_decide(struct sluice_arming *arming, const struct sluice_sink *sink,
                          struct sluice_arm *arm, const struct sluice_open_series *series)
{
    struct sluice_error error = {0};
    struct sluice_event *event = sluice_sink_event(sink, SLUICE_EVENT_ARM);
    if (event == NULL) { /* nobody would hear the answer */
        sluice_log_error("writer", "arm refused: the service is far behind");
        free(arm);
        return;
    }
    const enum sluice_arm_verdict verdict = judge(arming, sink, arm, series, &error);
    if (verdict == SLUICE_ARM_FAULT)
        sluice_error_set(&error, SLUICE_NO_MEMORY, "out of memory");
    say_decision(arm, verdict, &error);
    event->number = arm->number;
    event->verdict = verdict;
    snprintf(event->file, sizeof(event->file), "%s", error.message);
    if (verdict == SLUICE_ARM_ACCEPTED) {
        arming->arm = arm;
        if (arm->accept_drops)
            arming->drops_accepted = drops_so_far(sink);
        event->drops_accepted = arming->drops_accepted;
        event->facts = facts_of_arm(sink, arm);
        if (sink->progress != NULL) {
            sluice_store_release(&sink->progress->armed_images, arm->images); /* [edge ARMED] */
            sluice_add_acq_rel(&sink->progress->arms_accepted, UINT64_C(1));  /* [edge ARMED] */
        }
    } else {
        event->drops_accepted = arming->drops_accepted;
        free(arm);
    }
    sluice_events_post(sink->events, event);
}

struct sluice_arm *sluice_arming_take(struct sluice_arming *arming, const struct sluice_sink *sink)
{
    struct sluice_arm *arm = arming->arm;
    arming->arm = NULL;
    if (sink->progress != NULL)
        sluice_store_release(&sink->progress->armed_images, 0); /* [edge ARMED] */
    return arm;
}

void sluice_arming_note(struct sluice_arming *arming, const struct sluice_open_series *series)
{
    if (series->tally.written == 0)
        return;
    arming->last_width = series->channels[0].width;
    arming->last_height = series->channels[0].height;
    arming->last_image_bytes = series->tally.bytes_written / series->tally.written;
}

void sluice_arming_stopped(struct sluice_arming *arming, const struct sluice_sink *sink,
                           uint64_t number)
{
    struct sluice_event *event = sluice_sink_event(sink, SLUICE_EVENT_STOPPED);
    if (arming->arm != NULL)
        sluice_log_info("writer", "disarmed: stop came before the series");
    free(sluice_arming_take(arming, sink));
    if (event == NULL)
        return;
    event->number = number;
    sluice_events_post(sink->events, event);
}

void sluice_arming_close(struct sluice_arming *arming)
{
    free(arming->arm);
    arming->arm = NULL;
}
