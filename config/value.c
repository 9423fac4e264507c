/* SPDX-License-Identifier: Apache-2.0
 *
 * One function a kind of value; all go through read_integer or check_text, so that every error says
 * the same three things: key, what was there, what is wanted (sluice_config_describe). A field is
 * written only after everything about the value has been found right. */
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"
#include "core/clock.h"

#define DIRECTORY_BYTES_MAX 800 /* leaves room for names in SLUICE_PATH_BYTES */

struct sluice_config_text {
    struct sluice_config_text *older;
    char text[];
};

const char *sluice_config_keep(struct sluice_config *config, const char *text)
{
    size_t bytes = strlen(text) + 1;
    struct sluice_config_text *copy = malloc(sizeof *copy + bytes);
    if (!copy)
        return NULL;
    memcpy(copy->text, text, bytes);
    copy->older = config->texts;
    config->texts = copy;
    return copy->text;
}

void sluice_config_close(struct sluice_config *config)
{
    while (config->texts) {
        struct sluice_config_text *text = config->texts;
        config->texts = text->older;
        free(text);
    }
    memset(config, 0, sizeof *config);
}

static enum sluice_status wrong(const struct sluice_config_key *key, const char *found,
                                struct sluice_error *error)
{
    char wanted[160];
    sluice_config_describe(key, wanted, sizeof wanted);
    return sluice_error_set(error, SLUICE_CONFIG, "%s: \"%.80s\": want %s", key->name, found,
                            wanted);
}

static const char *kind_name(const struct sluice_yaml_node *node)
{
    return sluice_yaml_is_null(node)            ? "no value"
           : node->kind == SLUICE_YAML_SEQUENCE ? "a list"
           : node->kind == SLUICE_YAML_MAPPING  ? "a map"
                                                : "a text";
}

static enum sluice_status wrong_kind(const struct sluice_config_key *key,
                                     const struct sluice_yaml_node *node,
                                     struct sluice_error *error)
{
    char wanted[160];
    sluice_config_describe(key, wanted, sizeof wanted);
    return sluice_error_set(error, SLUICE_CONFIG, "%s: %s: want %s", key->name, kind_name(node),
                            wanted);
}

/* Digits with an optional sign, then `rest`; false when there are no digits or too many. */
static bool read_integer(const char *text, int base, int64_t *value, const char **rest)
{
    char *end;
    const char *digits = *text == '-' ? text + 1 : text;
    if (!isdigit((unsigned char)*digits))
        return false;
    errno = 0;
    long long number = strtoll(text, &end, base);
    *value = number;
    *rest = end;
    return errno == 0;
}

/* The factor of a byte size's suffix, 0 for an unknown one. */
static int64_t bytes_factor(const char *suffix)
{
    static const struct {
        const char *name;
        int64_t factor;
    } table[] = {{"", 1},
                 {"B", 1},
                 {"KiB", INT64_C(1) << 10},
                 {"MiB", INT64_C(1) << 20},
                 {"GiB", INT64_C(1) << 30},
                 {"TiB", INT64_C(1) << 40},
                 {"kB", 1000},
                 {"KB", 1000},
                 {"MB", 1000000},
                 {"GB", 1000000000},
                 {"TB", INT64_C(1000000000000)}};
    suffix += *suffix == ' ';
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(suffix, table[i].name) == 0)
            return table[i].factor;
    return 0;
}

static void put_integer(struct sluice_config *config, const struct sluice_config_key *key,
                        int64_t value)
{
    char *field = (char *)config + key->offset;
    if (key->bytes == sizeof(bool)) {
        *(bool *)field = value != 0;
    } else if (key->bytes == sizeof(uint32_t)) {
        uint32_t narrow = (uint32_t)value;
        memcpy(field, &narrow, sizeof narrow);
    } else {
        memcpy(field, &value, sizeof value);
    }
}

int64_t sluice_value_unit_ns(const struct sluice_config_key *key)
{
    return key->type == SLUICE_TYPE_MS   ? SLUICE_NS_PER_MS
           : key->type == SLUICE_TYPE_US ? SLUICE_NS_PER_US
                                         : 1;
}

/* INT, UINT, BYTES, MS, US, MODE. Numbers are not quoted; sizes and modes may be. */
static enum sluice_status store_number(struct sluice_config *config,
                                       const struct sluice_config_key *key,
                                       const struct sluice_yaml_node *node,
                                       struct sluice_error *error)
{
    bool mode = key->type == SLUICE_TYPE_MODE, sized = key->type == SLUICE_TYPE_BYTES;
    const char *text = node->text, *rest;
    int64_t value, factor;
    if (sluice_config_may_be_auto(key) && strcmp(text, "auto") == 0) {
        put_integer(config, key, -1);
        return SLUICE_OK;
    }
    if (!node->plain && !mode && !sized) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "%s: \"%.80s\" is a text: want a number, without quotes", key->name,
                                text);
    }
    if (mode && *text != '0')
        return wrong(key, text, error);
    if (!read_integer(text, mode ? 8 : 10, &value, &rest))
        return wrong(key, text, error);
    factor = sized ? bytes_factor(rest) : *rest == '\0';
    if (factor == 0 || value > INT64_MAX / factor || value < key->min / factor ||
        value * factor < key->min || value * factor > key->max ||
        (mode && (value & key->min) != key->min))
        return wrong(key, text, error);
    put_integer(config, key, value * factor * sluice_value_unit_ns(key));
    return SLUICE_OK;
}

static enum sluice_status store_choice(struct sluice_config *config,
                                       const struct sluice_config_key *key, const char *text,
                                       struct sluice_error *error)
{
    char word[32];
    for (unsigned i = 0; sluice_config_choice(key, i, word, sizeof word); i++) {
        if (strcmp(word, text) == 0) {
            put_integer(config, key, i);
            return SLUICE_OK;
        }
    }
    return wrong(key, text, error);
}

static enum sluice_status check_text(const struct sluice_config_key *key, const char *text,
                                     int64_t min, int64_t max, struct sluice_error *error)
{
    int64_t bytes = (int64_t)strlen(text);
    if (!sluice_text_is_printable(text)) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "%s: control characters or bytes that are not UTF-8", key->name);
    }
    if (bytes < min || bytes > max)
        return wrong(key, text, error);
    return SLUICE_OK;
}

/* TEXT, NAME, ENDPOINT. */
static enum sluice_status store_text(struct sluice_config *config,
                                     const struct sluice_config_key *key, const char *text,
                                     struct sluice_error *error)
{
    bool endpoint = key->type == SLUICE_TYPE_ENDPOINT;
    bool off = strcmp(key->default_text, "off") == 0 &&
               (strcmp(text, "off") == 0 || (endpoint && *text == '\0'));
    enum sluice_status status = off ? SLUICE_OK : check_text(key, text, key->min, key->max, error);
    if (status != SLUICE_OK)
        return status;
    if ((key->type == SLUICE_TYPE_NAME && !sluice_text_is_name(text)) ||
        (endpoint && !off && !sluice_text_is_endpoint(text)))
        return wrong(key, text, error);
    const char *copy = sluice_config_keep(config, off ? "" : text);
    if (!copy)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "out of memory");
    memcpy((char *)config + key->offset, &copy, sizeof copy);
    return SLUICE_OK;
}

static enum sluice_status store_directories(struct sluice_config *config,
                                            const struct sluice_config_key *key,
                                            const struct sluice_yaml_node *node,
                                            struct sluice_error *error)
{
    const char *list[SLUICE_DIRECTORIES_MAX];
    size_t count = 0;
    const struct sluice_yaml_node *entry = node->kind == SLUICE_YAML_SEQUENCE ? node->child : node;
    for (; entry; entry = node->kind == SLUICE_YAML_SEQUENCE ? entry->next : NULL) {
        if (entry->kind != SLUICE_YAML_SCALAR || sluice_yaml_is_null(entry))
            return wrong_kind(key, entry, error);
        if (count == SLUICE_DIRECTORIES_MAX) {
            return sluice_error_set(error, SLUICE_CONFIG, "%s: more than %d directories", key->name,
                                    SLUICE_DIRECTORIES_MAX);
        }
        enum sluice_status status = check_text(key, entry->text, 1, DIRECTORY_BYTES_MAX, error);
        if (status != SLUICE_OK)
            return status;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(list[i], entry->text) == 0) {
                return sluice_error_set(error, SLUICE_CONFIG, "%s: \"%.80s\" stands there twice",
                                        key->name, entry->text);
            }
        }
        list[count] = sluice_config_keep(config, entry->text);
        if (!list[count++])
            return sluice_error_set(error, SLUICE_NO_MEMORY, "out of memory");
    }
    if (count == 0) {
        return sluice_error_set(error, SLUICE_CONFIG, "%s: an empty list: want at least one",
                                key->name);
    }
    memcpy(config->writer.directories, list, count * sizeof *list);
    config->writer.directory_count = count;
    return SLUICE_OK;
}

static enum sluice_status read_vector(const struct sluice_config_key *key, const char *axis,
                                      const struct sluice_yaml_node *node, double *vector,
                                      struct sluice_error *error)
{
    size_t count = 0;
    const struct sluice_yaml_node *entry = node->kind == SLUICE_YAML_SEQUENCE ? node->child : NULL;
    for (; entry && count <= 3; entry = entry->next, count++) {
        char *end = NULL;
        double number =
            entry->kind == SLUICE_YAML_SCALAR && entry->plain ? strtod(entry->text, &end) : 0;
        if (!end || end == entry->text || *end != '\0' || !isfinite(number)) {
            count = 0; /* not three numbers */
            break;
        }
        if (count < 3)
            vector[count] = number;
    }
    if (count != 3 || (vector[0] == 0 && vector[1] == 0 && vector[2] == 0)) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "%s.%.63s: want a direction of three numbers, not all 0, such as "
                                "[-1, 0, 0]",
                                key->name, axis);
    }
    return SLUICE_OK;
}

static enum sluice_status store_axes(struct sluice_config *config,
                                     const struct sluice_config_key *key,
                                     const struct sluice_yaml_node *node,
                                     struct sluice_error *error)
{
    struct sluice_axis_setting axes[SLUICE_AXIS_SETTINGS_MAX];
    size_t count = 0;
    for (const struct sluice_yaml_node *name = node->child; name; name = name->next->next) {
        if (count == SLUICE_AXIS_SETTINGS_MAX) {
            return sluice_error_set(error, SLUICE_CONFIG, "%s: more than %d axes", key->name,
                                    SLUICE_AXIS_SETTINGS_MAX);
        }
        struct sluice_axis_setting *axis = &axes[count];
        if (!sluice_text_is_name(name->text) || strlen(name->text) >= sizeof axis->name) {
            return sluice_error_set(error, SLUICE_CONFIG,
                                    "%s: \"%.80s\" is no axis name (letters, digits, ._-, at most "
                                    "63)",
                                    key->name, name->text);
        }
        for (size_t i = 0; i < count; i++) {
            if (strcmp(axes[i].name, name->text) == 0) {
                return sluice_error_set(error, SLUICE_CONFIG, "%s.%s stands there twice", key->name,
                                        name->text);
            }
        }
        snprintf(axis->name, sizeof axis->name, "%s", name->text);
        enum sluice_status status = read_vector(key, axis->name, name->next, axis->vector, error);
        if (status != SLUICE_OK)
            return status;
        count++;
    }
    memcpy(config->writer.metadata.axes, axes, count * sizeof *axes);
    config->writer.metadata.axis_count = count;
    return SLUICE_OK;
}

enum sluice_status sluice_value_store(struct sluice_config *config,
                                      const struct sluice_config_key *key,
                                      const struct sluice_yaml_node *node,
                                      struct sluice_error *error)
{
    if (key->type == SLUICE_TYPE_DIRECTORIES && node->kind != SLUICE_YAML_MAPPING)
        return store_directories(config, key, node, error);
    if (key->type == SLUICE_TYPE_AXES && node->kind == SLUICE_YAML_MAPPING)
        return store_axes(config, key, node, error);
    if (key->type == SLUICE_TYPE_AXES || node->kind != SLUICE_YAML_SCALAR ||
        sluice_yaml_is_null(node))
        return wrong_kind(key, node, error);
    switch (key->type) {
    case SLUICE_TYPE_CHOICE:
        return store_choice(config, key, node->text, error);
    case SLUICE_TYPE_TEXT:
    case SLUICE_TYPE_NAME:
    case SLUICE_TYPE_ENDPOINT:
        return store_text(config, key, node->text, error);
    default:
        return store_number(config, key, node, error);
    }
}
