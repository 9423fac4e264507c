/* SPDX-License-Identifier: Apache-2.0
 *
 * Captured messages from a folder. Each message must play a part in the
 * protocol of the first; nothing else of it is understood, so that a capture with fields of a
 * future firmware replays as it is. */
#include "bench/detector/capture.h"

#include <stdlib.h>
#include <string.h>

#include "bench/detector/capture_files.h"
#include "bench/detector/json_edit.h"
#include "bench/detector/wire.h"

static void add_self_description(struct sluice_cbor *message)
{
    static const uint8_t tag[SLUICE_CBOR_SELF_DESCRIPTION_BYTES] = {0xd9, 0xd9, 0xf7};
    if (message->bytes < sizeof tag || memcmp(message->data, tag, sizeof tag) != 0)
        sluice_cbor_splice(message, 0, 0, (struct sluice_span){tag, sizeof tag});
}

/* The protocol in which this message plays a part. */
static bool recognise(const struct sluice_multipart *message, enum sluice_wire_protocol *protocol)
{
    for (int p = 0; p < SLUICE_WIRE_PROTOCOL_COUNT; p++) {
        *protocol = (enum sluice_wire_protocol)p;
        if (sluice_wire_of(*protocol)->role(message) != SLUICE_WIRE_NONE)
            return true;
    }
    return false;
}

/* Keeps the identity of the first message that has one. */
static void note_identity(struct sluice_capture *capture, const struct sluice_wire *wire,
                          const struct sluice_multipart *message, bool *has_identity)
{
    struct sluice_identity identity;
    if (*has_identity || !wire->identity(message, &identity))
        return;
    memcpy(capture->unique_id, identity.unique_id, sizeof capture->unique_id);
    capture->series_id = identity.series_id;
    *has_identity = true;
}

/* Takes a whole message over; `name` is that of its first file. */
static enum sluice_status take(struct sluice_capture *capture, struct sluice_multipart *message,
                               const char *directory, const char *name, bool *has_identity,
                               struct sluice_error *error)
{
    bool is_first = !capture->start.count && !capture->end.count && !capture->image_count;
    enum sluice_wire_protocol protocol;
    if (!recognise(message, &protocol))
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "%s/%s is no whole start, image or end message of Stream V2, "
                                "Stream V1 or array-1.0; --verbatim sends it as it is",
                                directory, name);
    if (!is_first && protocol != capture->protocol)
        return sluice_error_set(error, SLUICE_MALFORMED, "%s/%s is %s, the messages before it %s",
                                directory, name, sluice_wire_of(protocol)->name,
                                sluice_wire_of(capture->protocol)->name);
    const struct sluice_wire *wire = sluice_wire_of(protocol);
    enum sluice_wire_role role = wire->role(message);
    capture->protocol = protocol;
    note_identity(capture, wire, message, has_identity);
    if (protocol == SLUICE_WIRE_STREAM2)
        add_self_description(&message->part[0]);
    if (protocol == SLUICE_WIRE_ARRAY && !capture->image_count)
        sluice_json_find_uint(sluice_multipart_span(message, 0), "frame", &capture->first_frame);
    if (role == SLUICE_WIRE_IMAGE) {
        capture->images[capture->image_count++] = *message;
    } else {
        struct sluice_multipart *place =
            role == SLUICE_WIRE_START ? &capture->start : &capture->end;
        if (place->count)
            return sluice_error_set(error, SLUICE_MALFORMED,
                                    "%s/%s is a second %s message: keep one series in a folder, "
                                    "or send it as it is with --verbatim",
                                    directory, name, role == SLUICE_WIRE_START ? "start" : "end");
        *place = *message;
    }
    *message = (struct sluice_multipart){0};
    return SLUICE_OK;
}

static enum sluice_status load_all(struct sluice_capture *capture,
                                   struct sluice_capture_files *files, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    bool has_identity = false;
    while (status == SLUICE_OK) {
        struct sluice_multipart message = {0};
        const char *name;
        status = sluice_capture_files_next(files, &message, &name, error);
        if (status == SLUICE_OK)
            status = take(capture, &message, files->directory, name, &has_identity, error);
        sluice_multipart_close(&message);
    }
    if (status == SLUICE_END && capture->image_count == 0)
        return sluice_error_set(error, SLUICE_NOT_FOUND,
                                "%s holds no captured image (NNNNNN.cbor or NNNNNN.part00 …)",
                                files->directory);
    return status == SLUICE_END ? SLUICE_OK : status;
}

enum sluice_status sluice_capture_load(struct sluice_capture *capture, const char *directory,
                                       struct sluice_error *error)
{
    struct sluice_capture_files files;
    *capture = (struct sluice_capture){0};
    enum sluice_status status = sluice_capture_files_open(&files, directory, error);
    if (status != SLUICE_OK)
        return status;
    capture->images = calloc((size_t)files.count + 1, sizeof *capture->images);
    if (!capture->images)
        status =
            sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for %d messages", files.count);
    else
        status = load_all(capture, &files, error);
    sluice_capture_files_close(&files);
    if (status != SLUICE_OK)
        sluice_capture_close(capture);
    return status;
}

void sluice_capture_close(struct sluice_capture *capture)
{
    sluice_multipart_close(&capture->start);
    sluice_multipart_close(&capture->end);
    for (size_t i = 0; i < capture->image_count; i++)
        sluice_multipart_close(&capture->images[i]);
    free(capture->images);
    *capture = (struct sluice_capture){0};
}
