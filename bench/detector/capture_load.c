/* SPDX-License-Identifier: Apache-2.0
 *
 * Captured messages from a folder, one file a message. A file must be one well-formed CBOR map
 * whose `type` is start, image or end; nothing else of it is understood, so that a capture with
 * fields of a future firmware replays as it is. */
#include "bench/detector/capture.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_message(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".cbor") == 0;
}

static enum sluice_status read_file(const char *path, struct sluice_cbor *message,
                                    struct sluice_error *error)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot open %s", path);
    uint8_t piece[1 << 16];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        sluice_cbor_raw(message, (struct sluice_span){piece, got});
    int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed)
        return sluice_error_errno(error, SLUICE_IO, failed, "cannot read %s", path);
    if (message->failed)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for %s", path);
    return SLUICE_OK;
}

static void add_self_description(struct sluice_cbor *message)
{
    static const uint8_t tag[SLUICE_CBOR_SELF_DESCRIPTION_BYTES] = {0xd9, 0xd9, 0xf7};
    if (message->bytes < sizeof tag || memcmp(message->data, tag, sizeof tag) != 0)
        sluice_cbor_splice(message, 0, 0, (struct sluice_span){tag, sizeof tag});
}

/* Keeps the identity of the first message that has one. */
static void note_identity(struct sluice_capture *capture, struct sluice_span message)
{
    struct sluice_span id;
    if (*capture->unique_id || !sluice_cbor_find_text(message, "series_unique_id", &id) ||
        id.bytes >= sizeof capture->unique_id)
        return;
    memcpy(capture->unique_id, id.data, id.bytes);
    sluice_cbor_find_uint(message, "series_id", &capture->series_id);
}

static enum sluice_status take(struct sluice_capture *capture, struct sluice_cbor *message,
                               const char *path, struct sluice_error *error)
{
    struct sluice_span span = sluice_cbor_span(message), type;
    struct sluice_cbor_range id;
    if (!sluice_cbor_is_map(span))
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "%s is not one whole CBOR map: is it a Stream V2 message?", path);
    if (!sluice_cbor_find_text(span, "type", &type))
        return sluice_error_set(error, SLUICE_MALFORMED, "%s has no text `type`", path);
    note_identity(capture, span);
    bool is_start = type.bytes == 5 && memcmp(type.data, "start", 5) == 0;
    bool is_end = type.bytes == 3 && memcmp(type.data, "end", 3) == 0;
    if (is_start || is_end) {
        struct sluice_cbor *place = is_start ? &capture->start : &capture->end;
        if (place->data)
            return sluice_error_set(error, SLUICE_MALFORMED,
                                    "%s is a second %s message: keep one series in a folder", path,
                                    is_start ? "start" : "end");
        *place = *message;
    } else if (type.bytes == 5 && memcmp(type.data, "image", 5) == 0) {
        if (!sluice_cbor_find(span, "image_id", &id))
            return sluice_error_set(error, SLUICE_MALFORMED, "%s has no `image_id`", path);
        capture->images[capture->image_count++] = *message;
    } else {
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "%s has the type \"%.*s\"; start, image or end is known", path,
                                (int)(type.bytes < 40 ? type.bytes : 40), (const char *)type.data);
    }
    *message = (struct sluice_cbor){0};
    return SLUICE_OK;
}

static enum sluice_status load_one(struct sluice_capture *capture, const char *directory,
                                   const char *name, struct sluice_error *error)
{
    char path[4096];
    struct sluice_cbor message = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path)
        return sluice_error_set(error, SLUICE_LIMIT, "the path of %s is too long", name);
    enum sluice_status status = read_file(path, &message, error);
    if (status == SLUICE_OK) {
        add_self_description(&message);
        status = take(capture, &message, path, error);
    }
    sluice_cbor_close(&message);
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
    for (int i = 0; i < count; i++) {
        if (status == SLUICE_OK)
            status = load_one(capture, directory, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    if (status == SLUICE_OK && capture->image_count == 0)
        status = sluice_error_set(error, SLUICE_NOT_FOUND,
                                  "%s holds no captured image (NNNNNN.cbor)", directory);
    if (status != SLUICE_OK)
        sluice_capture_close(capture);
    return status;
}

void sluice_capture_close(struct sluice_capture *capture)
{
    sluice_cbor_close(&capture->start);
    sluice_cbor_close(&capture->end);
    for (size_t i = 0; i < capture->image_count; i++)
        sluice_cbor_close(&capture->images[i]);
    free(capture->images);
    *capture = (struct sluice_capture){0};
}
