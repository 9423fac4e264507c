/* SPDX-License-Identifier: Apache-2.0
 *
 * Captured messages from a folder. Files of one message have names that differ in their ending
 * only, so they follow each other in the order of names. Each message must play a part in the
 * protocol of the first; nothing else of it is understood, so that a capture with fields of a
 * future firmware replays as it is. */
#include "bench/detector/capture.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/detector/json_edit.h"
#include "bench/detector/wire.h"

/* Where the ending of a message's file begins: ".cbor" or ".partNN"; NULL: it is another file. */
static const char *ending_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name)
        return NULL;
    if (strcmp(dot, ".cbor") == 0)
        return dot;
    if (strncmp(dot, ".part", 5) != 0 || !isdigit((unsigned char)dot[5]))
        return NULL;
    return dot[5 + strspn(dot + 5, "0123456789")] ? NULL : dot;
}

static int is_message(const struct dirent *entry)
{
    return ending_of(entry->d_name) != NULL;
}

/* True when both names are of the same message. */
static bool same_message(const char *a, const char *b)
{
    size_t length = (size_t)(ending_of(a) - a);
    return (size_t)(ending_of(b) - b) == length && strncmp(a, b, length) == 0;
}

static enum sluice_status read_file(const char *path, struct sluice_cbor *part,
                                    struct sluice_error *error)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot open %s", path);
    uint8_t piece[1 << 16];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        sluice_cbor_raw(part, (struct sluice_span){piece, got});
    int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed)
        return sluice_error_errno(error, SLUICE_IO, failed, "cannot read %s", path);
    if (part->failed)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for %s", path);
    return SLUICE_OK;
}

static enum sluice_status add_part(struct sluice_multipart *message, const char *directory,
                                   const char *name, struct sluice_error *error)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path)
        return sluice_error_set(error, SLUICE_LIMIT, "the path of %s is too long", name);
    struct sluice_cbor *part = sluice_multipart_add(message, (struct sluice_span){0});
    if (!part)
        return sluice_error_set(error, SLUICE_LIMIT, "%s: a message has at most %d parts", path,
                                SLUICE_MULTIPART_MAX);
    return read_file(path, part, error);
}

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
                                "Stream V1 or array-1.0",
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
                                    "%s/%s is a second %s message: keep one series in a folder",
                                    directory, name, role == SLUICE_WIRE_START ? "start" : "end");
        *place = *message;
    }
    *message = (struct sluice_multipart){0};
    return SLUICE_OK;
}

static enum sluice_status load_all(struct sluice_capture *capture, const char *directory,
                                   struct dirent **entries, int count, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    bool has_identity = false;
    for (int begin = 0, end; status == SLUICE_OK && begin < count; begin = end) {
        struct sluice_multipart message = {0};
        for (end = begin; end < count && same_message(entries[begin]->d_name, entries[end]->d_name);
             end++)
            if (status == SLUICE_OK)
                status = add_part(&message, directory, entries[end]->d_name, error);
        if (status == SLUICE_OK)
            status =
                take(capture, &message, directory, entries[begin]->d_name, &has_identity, error);
        sluice_multipart_close(&message);
    }
    if (status == SLUICE_OK && capture->image_count == 0)
        status = sluice_error_set(error, SLUICE_NOT_FOUND,
                                  "%s holds no captured image (NNNNNN.cbor or NNNNNN.part00 …)",
                                  directory);
    return status;
}

enum sluice_status sluice_capture_load(struct sluice_capture *capture, const char *directory,
                                       struct sluice_error *error)
{
    *capture = (struct sluice_capture){0};
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_message, alphasort);
    if (count < 0)
        return sluice_error_errno(error, SLUICE_NOT_FOUND, errno, "cannot read the folder %s",
                                  directory);
    enum sluice_status status = SLUICE_OK;
    capture->images = calloc((size_t)count + 1, sizeof *capture->images);
    if (!capture->images)
        status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for %d messages", count);
    else
        status = load_all(capture, directory, entries, count, error);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
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
