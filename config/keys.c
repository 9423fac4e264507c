/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.def expanded into data, and look-ups in it. The size of each field is held against its type
 * at compile time, since values are stored by offset. */
#include "config/keys.h"

#include <inttypes.h>
#include <string.h>

#include "config/nearest.h"

#define FIELD_BYTES(field) sizeof(((struct sluice_config *)0)->field)

#define FITS_TEXT(n)        ((n) == sizeof(char *))
#define FITS_NAME(n)        FITS_TEXT(n)
#define FITS_ENDPOINT(n)    FITS_TEXT(n)
#define FITS_CHOICE(n)      ((n) == sizeof(bool) || (n) == sizeof(unsigned))
#define FITS_INT(n)         ((n) == sizeof(int))
#define FITS_UINT(n)        ((n) == sizeof(uint32_t) || (n) == sizeof(uint64_t))
#define FITS_BYTES(n)       FITS_UINT(n)
#define FITS_MS(n)          ((n) == sizeof(int64_t))
#define FITS_US(n)          FITS_MS(n)
#define FITS_MODE(n)        ((n) == sizeof(uint32_t))
#define FITS_DIRECTORIES(n) ((n) == SLUICE_DIRECTORIES_MAX * sizeof(char *))
#define FITS_AXES(n)        ((n) == SLUICE_AXIS_SETTINGS_MAX * sizeof(struct sluice_axis_setting))
#define X(section, name, type, default_text, min, max, unit, field, help)                          \
    _Static_assert(FITS_##type(FIELD_BYTES(field)), #section "." #name ": field and type differ");
#include "config/keys.def"
#undef X

#define X(section_, name_, type_, default_, min_, max_, unit_, field_, help_)                      \
    {.name = #section_ "." #name_,                                                                 \
     .section = #section_,                                                                         \
     .short_name = #name_,                                                                         \
     .type = SLUICE_TYPE_##type_,                                                                  \
     .default_text = default_,                                                                     \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .unit = unit_,                                                                                \
     .offset = offsetof(struct sluice_config, field_),                                             \
     .bytes = FIELD_BYTES(field_),                                                                 \
     .help = help_},
static const struct sluice_config_key keys[SLUICE_KEY_COUNT] = {
#include "config/keys.def"
};
#undef X

const struct sluice_config_key *sluice_config_key(enum sluice_config_key_id id)
{
    return &keys[id];
}

enum sluice_config_key_id sluice_config_find(const char *name)
{
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++)
        if (strcmp(keys[id].name, name) == 0)
            return (enum sluice_config_key_id)id;
    return SLUICE_KEY_COUNT;
}

bool sluice_config_is_section(const char *name)
{
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++)
        if (strcmp(keys[id].section, name) == 0)
            return true;
    return false;
}

const char *sluice_config_nearest_key(const char *name)
{
    const char *names[SLUICE_KEY_COUNT];
    const char *dot = strrchr(name, '.');
    const char *tail = dot ? dot + 1 : name;
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++)
        names[id] = keys[id].name;
    const char *nearest = sluice_nearest(name, names, SLUICE_KEY_COUNT);
    for (unsigned id = 0; !nearest && id < SLUICE_KEY_COUNT; id++)
        if (strcmp(keys[id].short_name, tail) == 0) /* right name, wrong section */
            nearest = keys[id].name;
    return nearest;
}

bool sluice_config_choice(const struct sluice_config_key *key, unsigned index, char *word,
                          size_t bytes)
{
    const char *text = key->unit;
    for (; index > 0; index--) {
        text = strchr(text, '|');
        if (!text)
            return false;
        text++;
    }
    snprintf(word, bytes, "%.*s", (int)strcspn(text, "|"), text);
    return true;
}

bool sluice_config_may_be_auto(const struct sluice_config_key *key)
{
    return key->type == SLUICE_TYPE_MS && strcmp(key->default_text, "auto") == 0;
}

void sluice_config_describe_bytes(int64_t value, char *text, size_t bytes)
{
    static const char *const suffixes[] = {"", "KiB", "MiB", "GiB", "TiB"};
    unsigned i = 0;
    while (value != 0 && value % 1024 == 0 && i < 4) {
        value /= 1024;
        i++;
    }
    snprintf(text, bytes, "%" PRId64 "%s", value, suffixes[i]);
}

static void describe_choices(const struct sluice_config_key *key, char *text, size_t bytes)
{
    char word[32];
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; sluice_config_choice(key, i, word, sizeof word); i++)
        if (used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, "%s%s", used ? " or " : "", word);
}

void sluice_config_describe(const struct sluice_config_key *key, char *text, size_t bytes)
{
    char min[32], max[32];
    switch (key->type) {
    case SLUICE_TYPE_CHOICE:
        describe_choices(key, text, bytes);
        return;
    case SLUICE_TYPE_INT:
    case SLUICE_TYPE_UINT:
        snprintf(text, bytes, "%" PRId64 " to %" PRId64 " (%s)", key->min, key->max, key->unit);
        return;
    case SLUICE_TYPE_MS:
    case SLUICE_TYPE_US:
        snprintf(text, bytes, "%sa plain number of %s, %" PRId64 " to %" PRId64,
                 sluice_config_may_be_auto(key) ? "auto, or " : "", key->unit, key->min, key->max);
        return;
    case SLUICE_TYPE_BYTES:
        sluice_config_describe_bytes(key->min, min, sizeof min);
        sluice_config_describe_bytes(key->max, max, sizeof max);
        snprintf(text, bytes, "%s to %s, as bytes or with KiB, MiB, GiB, TiB, kB, MB, GB, TB", min,
                 max);
        return;
    case SLUICE_TYPE_MODE:
        snprintf(text, bytes, "octal with a leading 0, at least 0%" PRIo64 ", at most 0%" PRIo64,
                 key->min, key->max);
        return;
    case SLUICE_TYPE_NAME:
        snprintf(text, bytes, "letters, digits, ._-, at most %" PRId64 " bytes", key->max);
        return;
    case SLUICE_TYPE_ENDPOINT:
        snprintf(text, bytes, "a ZeroMQ endpoint (tcp://HOST:PORT, ipc://PATH) or off");
        return;
    case SLUICE_TYPE_TEXT:
        snprintf(text, bytes, "text of %" PRId64 " to %" PRId64 " bytes", key->min, key->max);
        return;
    case SLUICE_TYPE_DIRECTORIES:
        snprintf(text, bytes, "a directory or a list of up to %" PRId64, key->max);
        return;
    case SLUICE_TYPE_AXES:
        snprintf(text, bytes, "a map from axis to [x, y, z], up to %" PRId64 " axes", key->max);
        return;
    }
}
