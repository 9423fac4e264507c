/* SPDX-License-Identifier: Apache-2.0
 *
 * Identity: two messages are of the same series when their unique ids agree and their series ids do
 * too; where either lacks a unique id the series id alone decides. */
#include "ingest/source/tracker.h"

#include <stdio.h>
#include <string.h>

/* So many equal steps in a row make a second client likely: chance losses do not do that. */
#define SECOND_CLIENT_STEPS 4

static struct sluice_series_identity identity_of_head(const struct sluice_message_head *head)
{
    struct sluice_series_identity identity = {
        .has_series_id = head->has_series_id,
        .series_id = head->series_id,
    };
    if (head->has_unique_id && head->unique_id.bytes < sizeof(identity.unique_id))
        memcpy(identity.unique_id, head->unique_id.data, head->unique_id.bytes);
    return identity;
}

static bool identity_known(const struct sluice_series_identity *identity)
{
    return identity->has_series_id || identity->unique_id[0] != '\0';
}

static bool identity_same(const struct sluice_series_identity *a,
                          const struct sluice_series_identity *b)
{
    const bool unique = a->unique_id[0] != '\0' && b->unique_id[0] != '\0';
    const bool numbered = a->has_series_id && b->has_series_id;
    if (unique && strcmp(a->unique_id, b->unique_id) != 0)
        return false;
    if (numbered && a->series_id != b->series_id)
        return false;
    return unique || numbered;
}

enum sluice_start_verdict sluice_tracker_judge_start(const struct sluice_tracker *tracker,
                                                     const struct sluice_message_head *head)
{
    const struct sluice_series_identity identity = identity_of_head(head);
    if (!tracker->open || !identity_same(&tracker->identity, &identity))
        return SLUICE_START_NEW;
    return tracker->start_missed ? SLUICE_START_LATE : SLUICE_START_REPEATED;
}

enum sluice_image_verdict sluice_tracker_judge_image(const struct sluice_tracker *tracker,
                                                     const struct sluice_message_head *head,
                                                     bool decoded)
{
    const struct sluice_series_identity identity = identity_of_head(head);
    if (tracker->open) {
        /* A message that does not say whose it is came on this series' stream. */
        return !identity_known(&identity) || identity_same(&tracker->identity, &identity)
                   ? SLUICE_IMAGE_OF_SERIES
                   : SLUICE_IMAGE_FOREIGN;
    }
    if (!decoded)
        return SLUICE_IMAGE_NO_SERIES;
    for (uint32_t i = 0; i < SLUICE_TRACKER_CLOSED_MAX; i++)
        if (identity_known(&tracker->closed[i].identity) && !tracker->closed[i].unfinished &&
            identity_same(&tracker->closed[i].identity, &identity))
            return SLUICE_IMAGE_OF_CLOSED;
    return SLUICE_IMAGE_MISSED_START;
}

bool sluice_tracker_judge_end(const struct sluice_tracker *tracker,
                              const struct sluice_message_head *head)
{
    const struct sluice_series_identity identity = identity_of_head(head);
    return tracker->open && identity_same(&tracker->identity, &identity);
}

static void contract_of_series(struct sluice_image_contract *contract,
                               const struct sluice_series *series)
{
    contract->width = series->width;
    contract->height = series->height;
    contract->channel_count = series->channel_count;
    for (uint32_t i = 0; i < series->channel_count; i++) {
        contract->dtypes[i] = series->dtype;
        memcpy(contract->channels[i], series->channels[i].name, SLUICE_NAME_BYTES);
    }
}

/* Its images are its own again, also when an earlier run had the same ids. */
static void forget_closed(struct sluice_tracker *tracker,
                          const struct sluice_series_identity *identity)
{
    for (uint32_t i = 0; i < SLUICE_TRACKER_CLOSED_MAX; i++)
        if (identity_same(&tracker->closed[i].identity, identity))
            memset(&tracker->closed[i], 0, sizeof(tracker->closed[i]));
}

void sluice_tracker_open(struct sluice_tracker *tracker, const struct sluice_series *series,
                         const struct sluice_image *image, int64_t now_ns)
{
    tracker->open = true;
    tracker->start_missed = series->start_missed;
    tracker->serial++;
    tracker->number_of_images = series->number_of_images;
    tracker->identity = (struct sluice_series_identity){
        .has_series_id = true,
        .series_id = series->series_id,
    };
    memcpy(tracker->identity.unique_id, series->unique_id, sizeof(series->unique_id));
    contract_of_series(&tracker->contract, series);
    if (series->start_missed)
        for (uint32_t i = 0; i < series->channel_count; i++)
            tracker->contract.dtypes[i] = image->planes[i].dtype;
    tracker->counts = (struct sluice_source_counts){0};
    tracker->last_message_ns = now_ns;
    tracker->last_image_id = tracker->id_step = tracker->id_step_run = tracker->ids_seen = 0;
    tracker->second_client_said = false;
    forget_closed(tracker, &tracker->identity);
}

void sluice_tracker_note_start(struct sluice_tracker *tracker,
                               const struct sluice_message_head *head)
{
    const struct sluice_series_identity identity = identity_of_head(head);
    if (identity_known(&identity))
        forget_closed(tracker, &identity);
    else
        memset(tracker->closed, 0, sizeof(tracker->closed));
}

static int find_channel(const struct sluice_image_contract *contract, struct sluice_span name,
                        uint32_t guess)
{
    for (uint32_t k = 0; k < contract->channel_count; k++) {
        const uint32_t i = (guess + k) % contract->channel_count;
        if (strlen(contract->channels[i]) == name.bytes &&
            memcmp(contract->channels[i], name.data, name.bytes) == 0)
            return (int)i;
    }
    return -1;
}

enum sluice_status sluice_tracker_adopt(struct sluice_tracker *tracker,
                                        struct sluice_series *series, struct sluice_error *error)
{
    const struct sluice_image_contract *contract = &tracker->contract;
    if (series->width == 0) {
        series->width = contract->width;
        series->height = contract->height;
        series->dtype = contract->dtypes[0];
    }
    if (series->width != contract->width || series->height != contract->height) {
        return sluice_error_set(error, SLUICE_MISMATCH,
                                "it announces %ux%u pixels, images have %ux%u", series->width,
                                series->height, contract->width, contract->height);
    }
    if (series->channel_count != 0 && series->channel_count != contract->channel_count) {
        return sluice_error_set(error, SLUICE_MISMATCH, "it announces %u channels, images have %u",
                                series->channel_count, contract->channel_count);
    }
    struct sluice_channel ordered[SLUICE_PLANES_MAX];
    memset(ordered, 0, sizeof(ordered));
    for (uint32_t i = 0; i < contract->channel_count; i++) {
        if (contract->dtypes[i] != series->dtype) {
            return sluice_error_set(
                error, SLUICE_MISMATCH, "it announces %s pixels, images have %s",
                sluice_dtype_name(series->dtype), sluice_dtype_name(contract->dtypes[i]));
        }
        memcpy(ordered[i].name, contract->channels[i], SLUICE_NAME_BYTES);
        ordered[i].threshold_energy = __builtin_nan("");
    }
    for (uint32_t i = 0; i < series->channel_count; i++) {
        const char *name = series->channels[i].name;
        const int at =
            find_channel(contract, (struct sluice_span){(const uint8_t *)name, strlen(name)}, i);
        if (at < 0) {
            return sluice_error_set(error, SLUICE_MISMATCH,
                                    "it announces channel \"%s\", which images do not have", name);
        }
        ordered[at] = series->channels[i];
    }
    memcpy(series->channels, ordered, sizeof(ordered));
    series->channel_count = contract->channel_count;
    tracker->start_missed = false;
    tracker->number_of_images = series->number_of_images;
    return SLUICE_OK;
}

void sluice_tracker_close(struct sluice_tracker *tracker, enum sluice_ended_by ended_by,
                          bool complete)
{
    tracker->closed[tracker->closed_next].identity = tracker->identity;
    tracker->closed[tracker->closed_next].unfinished =
        ended_by == SLUICE_ENDED_BY_IDLE && !complete;
    tracker->closed_next = (tracker->closed_next + 1) % SLUICE_TRACKER_CLOSED_MAX;
    tracker->closed_count++;
    tracker->open = false;
}

static void name_channels(struct sluice_series *series, const struct sluice_image *image)
{
    series->channel_count = image->plane_count;
    for (uint32_t i = 0; i < image->plane_count; i++) {
        const struct sluice_span *name = &image->planes[i].channel;
        snprintf(series->channels[i].name, SLUICE_NAME_BYTES, "%.*s", (int)name->bytes,
                 (const char *)name->data);
    }
}

static void shape_like(struct sluice_series *series, const struct sluice_image *image)
{
    series->width = image->planes[0].width;
    series->height = image->planes[0].height;
    series->dtype = image->planes[0].dtype;
}

void sluice_tracker_complete(struct sluice_tracker *tracker, struct sluice_series *series,
                             const struct sluice_image *image)
{
    if (series->channel_count == 0)
        name_channels(series, image);
    if (series->width == 0)
        shape_like(series, image);
    contract_of_series(&tracker->contract, series);
}

struct sluice_series *sluice_tracker_series_of_image(const struct sluice_message_head *head,
                                                     const struct sluice_image *image)
{
    struct sluice_series *series = sluice_series_create();
    if (series == NULL)
        return NULL;
    series->start_missed = true;
    series->series_id = head->series_id;
    const struct sluice_series_identity identity = identity_of_head(head);
    memcpy(series->unique_id, identity.unique_id, sizeof(series->unique_id));
    shape_like(series, image);
    name_channels(series, image);
    return series;
}

enum sluice_status sluice_tracker_check(const struct sluice_tracker *tracker,
                                        struct sluice_image *image, struct sluice_error *error)
{
    const struct sluice_image_contract *contract = &tracker->contract;
    if (image->plane_count != contract->channel_count) {
        return sluice_error_set(error, SLUICE_MISMATCH, "it has %u channels, the series has %u",
                                image->plane_count, contract->channel_count);
    }
    uint32_t seen = 0; /* a bit a channel: SLUICE_PLANES_MAX is 32 */
    for (uint32_t i = 0; i < image->plane_count; i++) {
        struct sluice_plane *plane = &image->planes[i];
        const int at = find_channel(contract, plane->channel, i);
        if (at < 0 || (seen >> at & 1) != 0) {
            return sluice_error_set(error, SLUICE_MISMATCH,
                                    "channel \"%.*s\" is not one of the series'",
                                    (int)plane->channel.bytes, (const char *)plane->channel.data);
        }
        seen |= UINT32_C(1) << at;
        plane->channel_index = (uint32_t)at;
        if (plane->width != contract->width || plane->height != contract->height) {
            return sluice_error_set(error, SLUICE_MISMATCH,
                                    "channel \"%s\" has %ux%u pixels, the series %ux%u",
                                    contract->channels[at], plane->width, plane->height,
                                    contract->width, contract->height);
        }
        if (plane->dtype != contract->dtypes[at]) {
            return sluice_error_set(error, SLUICE_MISMATCH,
                                    "channel \"%s\" has %s pixels, the series %s",
                                    contract->channels[at], sluice_dtype_name(plane->dtype),
                                    sluice_dtype_name(contract->dtypes[at]));
        }
    }
    return SLUICE_OK;
}

bool sluice_tracker_note_id(struct sluice_tracker *tracker, uint64_t image_id, uint64_t *clients)
{
    const uint64_t step = image_id - tracker->last_image_id;
    const bool forward = tracker->ids_seen > 0 && image_id > tracker->last_image_id;
    if (forward && step > 1) {
        tracker->id_step_run = step == tracker->id_step ? tracker->id_step_run + 1 : 1;
        tracker->id_step = step;
    } else {
        tracker->id_step_run = 0;
    }
    tracker->last_image_id = image_id;
    tracker->ids_seen++;
    if (tracker->second_client_said || tracker->id_step_run < SECOND_CLIENT_STEPS)
        return false;
    tracker->second_client_said = true;
    *clients = tracker->id_step;
    return true;
}
