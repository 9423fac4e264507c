/* SPDX-License-Identifier: Apache-2.0
 *
 * The key table as data. Static, any thread. For config/, its tests and the
 * shell completion. */
#ifndef SLUICE_CONFIG_KEYS_H
#define SLUICE_CONFIG_KEYS_H

#include <stdbool.h>

#include "config/config.h"

enum sluice_config_type {
    SLUICE_TYPE_TEXT,        /* const char *: no control characters */
    SLUICE_TYPE_NAME,        /* const char *: letters, digits, ._-, no leading dot */
    SLUICE_TYPE_ENDPOINT,    /* const char *: "off" (stored as "") or transport://address */
    SLUICE_TYPE_CHOICE,      /* bool or an enum: one of the words */
    SLUICE_TYPE_INT,         /* int */
    SLUICE_TYPE_UINT,        /* uint32_t or uint64_t */
    SLUICE_TYPE_BYTES,       /* uint32_t or uint64_t: 4096, 64KiB, 1GiB, 512MB */
    SLUICE_TYPE_MS,          /* int64_t ns, written in ms; -1: auto */
    SLUICE_TYPE_US,          /* int64_t ns, written in us */
    SLUICE_TYPE_MODE,        /* uint32_t: octal, with a leading 0 */
    SLUICE_TYPE_DIRECTORIES, /* writer.directories and its count: one text or a list */
    SLUICE_TYPE_AXES,        /* metadata.axes and its count: a map from axis to three numbers */
};

struct sluice_config_key {
    const char *name; /* "source.endpoint" */
    const char *section, *short_name;
    enum sluice_config_type type;
    const char *default_text;
    int64_t min, max;
    const char *unit;     /* the words of a CHOICE */
    size_t offset, bytes; /* of the field in struct sluice_config */
    const char *help;
};

const struct sluice_config_key *sluice_config_key(enum sluice_config_key_id id);
/* SLUICE_KEY_COUNT when there is none of that name. */
enum sluice_config_key_id sluice_config_find(const char *name);
/* True when some key lies below "name.". */
bool sluice_config_is_section(const char *name);
/* The key that was most likely meant, or NULL. */
const char *sluice_config_nearest_key(const char *name);

/* The text of word `index` of a CHOICE, false past the last. */
bool sluice_config_choice(const struct sluice_config_key *key, unsigned index, char *word,
                          size_t bytes);
/* 1073741824 -> "1GiB"; exact: what is no multiple stays a plain number. */
void sluice_config_describe_bytes(int64_t value, char *text, size_t bytes);
/* "auto" is one of its values. */
bool sluice_config_may_be_auto(const struct sluice_config_key *key);
/* "connect or bind", "0 to 86400000 ms", … for people. */
void sluice_config_describe(const struct sluice_config_key *key, char *text, size_t bytes);

#endif
