/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of one message have names that differ in their ending only, so they follow each other in
 * the order of names. */
#include "bench/detector/capture_files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum sluice_status sluice_capture_files_open(struct sluice_capture_files *files,
                                             const char *directory, struct sluice_error *error)
{
    *files = (struct sluice_capture_files){.directory = directory};
    files->count = scandir(directory, &files->entries, is_message, alphasort);
    if (files->count >= 0)
        return SLUICE_OK;
    files->count = 0;
    return sluice_error_errno(error, SLUICE_NOT_FOUND, errno, "cannot read the folder %s",
                              directory);
}

enum sluice_status sluice_capture_files_next(struct sluice_capture_files *files,
                                             struct sluice_multipart *message, const char **name,
                                             struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    if (files->next == files->count)
        return SLUICE_END;
    *name = files->entries[files->next]->d_name;
    while (status == SLUICE_OK && files->next < files->count &&
           same_message(*name, files->entries[files->next]->d_name))
        status = add_part(message, files->directory, files->entries[files->next++]->d_name, error);
    return status;
}

void sluice_capture_files_close(struct sluice_capture_files *files)
{
    for (int i = 0; i < files->count; i++)
        free(files->entries[i]);
    free(files->entries);
    *files = (struct sluice_capture_files){0};
}
