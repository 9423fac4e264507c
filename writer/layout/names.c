/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that we make from what comes from outside: NAME of a series and the datasets of its
 * channels.
 *
 * Invariants: text from a message never adds a path component (every byte outside [A-Za-z0-9._-]
 * becomes '_', a leading dot too); NAME is relative, without "..", without empty components;
 * dataset names of one series are all different, and none is a column's. Character classes are
 * spelled out, so that no locale changes them. */
#include "writer/layout/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"

/* Longest component of NAME, so that "_<channel>_master.h5" still fits into a file name. */
#define COMPONENT_BYTES_MAX 140

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

void sluice_layout_safe_component(struct sluice_span text, char *buffer, size_t bytes)
{
    size_t length = 0;
    for (; length < text.bytes && length + 1 < bytes; length++) {
        char c = (char)text.data[length];
        bool safe = is_word(c) || c == '-' || (c == '.' && length > 0);
        buffer[length] = safe ? c : '_';
    }
    if (length == 0 && bytes > 1)
        buffer[length++] = '_';
    if (bytes > 0)
        buffer[length] = '\0';
}

static bool is_reserved(const char *name)
{
    if (strncmp(name, "data", 4) == 0 || strncmp(name, "checksum", 8) == 0 ||
        strcmp(name, "user_data") == 0)
        return true;
    for (int c = 0; c < SLUICE_COLUMN_COUNT; c++)
        if (strcmp(name, sluice_column_info((enum sluice_column)c)->name) == 0)
            return true;
    return false;
}

static bool is_taken(const char *name, char names[][SLUICE_NAME_BYTES], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void channel_name(const char *wanted, char names[][SLUICE_NAME_BYTES], uint32_t index)
{
    char plain[SLUICE_NAME_BYTES], valid[SLUICE_NAME_BYTES + 8];
    char *name = names[index];
    size_t length = strnlen(wanted, sizeof(plain) - 1);
    for (size_t i = 0; i < length; i++)
        plain[i] = is_word(wanted[i]) ? wanted[i] : '_';
    plain[length] = '\0';
    bool prefix = !is_letter(plain[0]) || is_reserved(plain);
    snprintf(valid, sizeof(valid), "%s%s", prefix ? "channel_" : "", plain);
    snprintf(name, SLUICE_NAME_BYTES, "%.*s", SLUICE_NAME_BYTES - 1, valid);
    for (uint32_t n = 2; is_taken(name, names, index); n++)
        snprintf(name, SLUICE_NAME_BYTES, "%.*s_%" PRIu32, SLUICE_NAME_BYTES - 12, valid, n);
}

void sluice_layout_channel_names(const struct sluice_series *series,
                                 char names[][SLUICE_NAME_BYTES])
{
    if (series->channel_count == 1) {
        snprintf(names[0], SLUICE_NAME_BYTES, "data");
        return;
    }
    for (uint32_t i = 0; i < series->channel_count; i++)
        channel_name(series->channels[i].name, names, i);
}

/* What $<variable> stands for; false when there is no such variable. */
static bool expand(const char *variable, size_t length, const struct sluice_series *series,
                   int64_t open_real_ns, char *value, size_t bytes)
{
    char stamp[32];
    time_t seconds = (time_t)(open_real_ns / SLUICE_NS_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    if (length == 2 && memcmp(variable, "id", 2) == 0) {
        snprintf(value, bytes, "%" PRIu64, series->series_id);
    } else if (length == 9 && memcmp(variable, "unique_id", 9) == 0) {
        struct sluice_span text = {(const uint8_t *)series->unique_id, strlen(series->unique_id)};
        sluice_layout_safe_component(text, value, bytes);
    } else if (length == 4 && memcmp(variable, "date", 4) == 0) {
        strftime(stamp, sizeof(stamp), "%Y%m%d", &utc);
        snprintf(value, bytes, "%s", stamp);
    } else if (length == 4 && memcmp(variable, "time", 4) == 0) {
        strftime(stamp, sizeof(stamp), "%H%M%S", &utc);
        snprintf(value, bytes, "%s", stamp);
    } else {
        return false;
    }
    return true;
}

/* The variable at `at`, which is behind a '$': its name, its length, and the bytes it takes. */
static const char *variable_at(const char *at, size_t *length, size_t *taken)
{
    bool braced = *at == '{';
    const char *name = braced ? at + 1 : at;
    size_t n = 0;
    while ((name[n] >= 'a' && name[n] <= 'z') || name[n] == '_')
        n++;
    /* "$id_x" means $id followed by "_x": the longest known name wins, so try from the end. */
    static const char *const known[] = {"unique_id", "date", "time", "id"};
    if (!braced)
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
            if (strncmp(name, known[k], strlen(known[k])) == 0) {
                n = strlen(known[k]);
                break;
            }
    if (braced && name[n] != '}')
        n = 0;
    *length = n;
    *taken = n + (braced ? 2 : 0);
    return name;
}

static enum sluice_status check_components(const char *pattern, const char *name,
                                           struct sluice_error *error)
{
    const char *component = name;
    for (;;) {
        size_t length = strcspn(component, "/");
        if (length == 0 || (length == 1 && component[0] == '.') ||
            (length == 2 && memcmp(component, "..", 2) == 0))
            return sluice_error_set(
                error, SLUICE_CONFIG,
                "writer.name '%s' gives '%s': it must be a relative path without "
                "empty, '.' or '..' components",
                pattern, name);
        if (length > COMPONENT_BYTES_MAX)
            return sluice_error_set(error, SLUICE_CONFIG,
                                    "writer.name '%s' gives a component of %zu characters; %d fit",
                                    pattern, length, COMPONENT_BYTES_MAX);
        if (component[length] == '\0')
            return SLUICE_OK;
        component += length + 1;
    }
}

enum sluice_status sluice_layout_series_name(const char *pattern,
                                             const struct sluice_series *series,
                                             int64_t open_real_ns, char *name, size_t bytes,
                                             struct sluice_error *error)
{
    size_t used = 0;
    for (const char *at = pattern; *at != '\0';) {
        char value[SLUICE_UNIQUE_ID_BYTES + 1] = {*at, '\0'};
        size_t taken = 1;
        if (*at == '$') {
            size_t length;
            const char *variable = variable_at(at + 1, &length, &taken);
            taken++;
            if (length == 0 ||
                !expand(variable, length, series, open_real_ns, value, sizeof(value)))
                return sluice_error_set(
                    error, SLUICE_CONFIG,
                    "writer.name '%s': unknown variable at '%s'; there are $id, "
                    "$unique_id, $date and $time",
                    pattern, at);
        }
        size_t length = strlen(value);
        if (used + length >= bytes)
            return sluice_error_set(error, SLUICE_CONFIG,
                                    "writer.name '%s' gives a name of more "
                                    "than %zu characters",
                                    pattern, bytes - 1);
        memcpy(name + used, value, length);
        used += length;
        at += taken;
    }
    const char *suffix = series->start_missed ? "_nostart" : "";
    if (used + strlen(suffix) >= bytes)
        return sluice_error_set(error, SLUICE_CONFIG,
                                "writer.name '%s' gives a name of more than %zu characters",
                                pattern, bytes - 1);
    name[used] = '\0';
    enum sluice_status status = check_components(pattern, name, error);
    if (status == SLUICE_OK)
        memcpy(name + used, suffix, strlen(suffix) + 1);
    return status;
}
