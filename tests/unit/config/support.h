/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the configuration share. Each test file is a program of its own. */
#ifndef SLUICE_TESTS_CONFIG_SUPPORT_H
#define SLUICE_TESTS_CONFIG_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/keys.h"

/* A configuration at its defaults. */
static inline void init(struct sluice_config *config)
{
    struct sluice_error error = {0};
    if (sluice_config_init(config, &error) != SLUICE_OK) {
        fail_msg("%s", error.message);
    }
}

/* Loads text that must be right. */
static inline void load(struct sluice_config *config, const char *text)
{
    struct sluice_error error = {0};
    if (sluice_config_load_text(config, text, strlen(text), "test.yaml", &error) != SLUICE_OK) {
        fail_msg("%s\n%s", error.message, text);
    }
}

/* Sets what must be right. */
static inline void set(struct sluice_config *config, const char *assignment)
{
    struct sluice_error error = {0};
    if (sluice_config_set(config, assignment, &error) != SLUICE_OK) {
        fail_msg("%s", error.message);
    }
}

/* Loads text that must be refused, with every one of the NULL-terminated texts in the message. */
static inline void refuse_bytes(const char *text, size_t bytes, const char *part, ...)
{
    struct sluice_config config;
    struct sluice_error error = {0};
    va_list parts;
    init(&config);
    enum sluice_status status = sluice_config_load_text(&config, text, bytes, "test.yaml", &error);
    if (status != SLUICE_CONFIG && status != SLUICE_LIMIT) {
        fail_msg("status %d for: %s", (int)status, text);
    }
    va_start(parts, part);
    for (; part; part = va_arg(parts, const char *)) {
        if (!strstr(error.message, part)) {
            fail_msg("no \"%s\" in \"%s\" for: %s", part, error.message, text);
        }
    }
    va_end(parts);
    sluice_config_close(&config);
}
#define refuse(text, ...) refuse_bytes(text, strlen(text), __VA_ARGS__, (const char *)NULL)

/* An assignment that must be refused with `part` in the message. */
static inline void refuse_set(const char *assignment, const char *part)
{
    struct sluice_config config;
    struct sluice_error error = {0};
    init(&config);
    enum sluice_status status = sluice_config_set(&config, assignment, &error);
    if (status != SLUICE_CONFIG && status != SLUICE_LIMIT) {
        fail_msg("status %d for: %s", (int)status, assignment);
    }
    if (!strstr(error.message, part)) {
        fail_msg("no \"%s\" in \"%s\" for: %s", part, error.message, assignment);
    }
    sluice_config_close(&config);
}

/* What sluice_config_print says, to be freed. */
static inline char *printed(const struct sluice_config *config)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    sluice_config_print(config, stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

/* The same without comments: only what the values are. */
static inline char *printed_values(const struct sluice_config *config)
{
    char *text = printed(config), *out = text;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        next = next ? next + 1 : NULL;
        char *comment = strstr(line, " # ");
        size_t bytes = comment && (!next || comment < next) ? (size_t)(comment - line)
                       : next                               ? (size_t)(next - line - 1)
                                                            : strlen(line);
        memmove(out, line, bytes);
        out += bytes;
        *out++ = next ? '\n' : '\0';
    }
    return text;
}

#endif
