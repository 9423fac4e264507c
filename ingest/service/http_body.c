/* SPDX-License-Identifier: Apache-2.0
 *
 * jansson reads the text (UTF-8 checked, no NUL, no member twice); each member then goes through a
 * row of a table, so that an unknown one cannot be overlooked. */
#include "ingest/service/http_body.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define IMAGES_MAX INT64_C(1000000000000)
#define SIDE_MAX   INT64_C(65535)

struct member {
    const char *name;
    enum sluice_status (*read)(const char *name, const json_t *value, void *target,
                               struct sluice_error *error);
};

static enum sluice_status wrong(struct sluice_error *error, const char *name, const char *wanted)
{
    return sluice_error_set(error, SLUICE_MALFORMED, "%s: %s is wanted", name, wanted);
}

/* Copies a text without control characters; the first of two that mean the same must be "". */
static enum sluice_status read_text(const char *name, const json_t *value, char *text, size_t room,
                                    struct sluice_error *error)
{
    if (!json_is_string(value))
        return wrong(error, name, "a text");
    const char *given = json_string_value(value);
    const size_t bytes = json_string_length(value);
    if (bytes >= room)
        return sluice_error_set(error, SLUICE_LIMIT, "%s: %zu bytes are too many, %zu fit", name,
                                bytes, room - 1);
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)given[i] < 0x20 || given[i] == 0x7f)
            return wrong(error, name, "a text without control characters");
    if (text[0] != '\0' && strcmp(text, given) != 0)
        return sluice_error_set(error, SLUICE_MALFORMED, "%s: it is given twice, differently",
                                name);
    memcpy(text, given, bytes + 1);
    return SLUICE_OK;
}

static enum sluice_status read_name(const char *name, const json_t *value, void *target,
                                    struct sluice_error *error)
{
    struct sluice_arm *arm = target;
    return read_text(name, value, arm->name, sizeof(arm->name), error);
}

static enum sluice_status read_directory(const char *name, const json_t *value, void *target,
                                         struct sluice_error *error)
{
    struct sluice_arm *arm = target;
    return read_text(name, value, arm->directory, sizeof(arm->directory), error);
}

static enum sluice_status read_acquisition_id(const char *name, const json_t *value, void *target,
                                              struct sluice_error *error)
{
    struct sluice_arm *arm = target;
    return read_text(name, value, arm->acquisition_id, sizeof(arm->acquisition_id), error);
}

static enum sluice_status read_images(const char *name, const json_t *value, void *target,
                                      struct sluice_error *error)
{
    struct sluice_arm *arm = target;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > IMAGES_MAX)
        return wrong(error, name, "a whole number from 0 (not known) to 1000000000000");
    arm->images = (uint64_t)json_integer_value(value);
    return SLUICE_OK;
}

static enum sluice_status read_shape(const char *name, const json_t *value, void *target,
                                     struct sluice_error *error)
{
    struct sluice_arm *arm = target;
    const json_t *height = json_array_get(value, 0), *width = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(height) || !json_is_integer(width) ||
        json_integer_value(height) < 1 || json_integer_value(height) > SIDE_MAX ||
        json_integer_value(width) < 1 || json_integer_value(width) > SIDE_MAX)
        return wrong(error, name, "[rows, columns] of one image, each from 1 to 65535,");
    arm->height = (uint32_t)json_integer_value(height);
    arm->width = (uint32_t)json_integer_value(width);
    return SLUICE_OK;
}

static enum sluice_status read_dtype(const char *name, const json_t *value, void *target,
                                     struct sluice_error *error)
{
    struct sluice_arm *arm = target;
    const char *given = json_string_value(value);
    if (given == NULL ||
        !sluice_dtype_from_name((struct sluice_span){(const uint8_t *)given, strlen(given)},
                                &arm->dtype))
        return wrong(error, name, "an element type such as \"uint16\"");
    arm->has_dtype = true;
    return SLUICE_OK;
}

static enum sluice_status read_accept_drops(const char *name, const json_t *value, void *target,
                                            struct sluice_error *error)
{
    struct sluice_arm *arm = target;
    if (!json_is_boolean(value))
        return wrong(error, name, "true or false");
    arm->accept_drops = json_is_true(value);
    return SLUICE_OK;
}

static enum sluice_status read_timeout(const char *name, const json_t *value, void *target,
                                       struct sluice_error *error)
{
    double *timeout_s = target;
    if (!json_is_number(value) || !(json_number_value(value) >= 0) ||
        json_number_value(value) > SLUICE_STOP_TIMEOUT_MAX_S)
        return wrong(error, name, "a number of seconds from 0 to 300");
    *timeout_s = json_number_value(value);
    return SLUICE_OK;
}

static const struct member arm_members[] = {
    {"name", read_name},
    {"file_prefix", read_name},
    {"directory", read_directory},
    {"file_path", read_directory},
    {"images", read_images},
    {"acquisition_id", read_acquisition_id},
    {"shape", read_shape},
    {"dtype", read_dtype},
    {"accept_drops", read_accept_drops},
};
static const struct member stop_members[] = {{"timeout_s", read_timeout}};

static enum sluice_status read_member(const struct member *members, size_t count, const char *key,
                                      const json_t *value, void *target, struct sluice_error *error)
{
    char known[160] = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(key, members[i].name) == 0)
            return members[i].read(members[i].name, value, target, error);
        const size_t used = strlen(known);
        snprintf(known + used, sizeof(known) - used, "%s%s", i > 0 ? ", " : "", members[i].name);
    }
    return sluice_error_set(error, SLUICE_MALFORMED, "unknown member \"%.40s\"; there are %s", key,
                            known);
}

static enum sluice_status parse(const char *body, size_t bytes, const struct member *members,
                                size_t count, void *target, struct sluice_error *error)
{
    json_error_t why;
    enum sluice_status status = SLUICE_OK;
    if (bytes == 0)
        return SLUICE_OK;
    json_t *root = json_loadb(body, bytes, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        return sluice_error_set(error, SLUICE_MALFORMED, "the body is no JSON: line %d: %s",
                                why.line, why.text);
    if (!json_is_object(root))
        status = sluice_error_set(error, SLUICE_MALFORMED, "the body must be a JSON object");
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (status == SLUICE_OK && !json_is_null(value))
            status = read_member(members, count, key, value, target, error);
    }
    json_decref(root);
    return status;
}

enum sluice_status sluice_http_parse_arm(const char *body, size_t bytes, struct sluice_arm *arm,
                                         struct sluice_error *error)
{
    memset(arm, 0, sizeof(*arm));
    return parse(body, bytes, arm_members, sizeof(arm_members) / sizeof(arm_members[0]), arm,
                 error);
}

enum sluice_status sluice_http_parse_stop(const char *body, size_t bytes, double *timeout_s,
                                          struct sluice_error *error)
{
    *timeout_s = SLUICE_STOP_TIMEOUT_DEFAULT_S;
    return parse(body, bytes, stop_members, sizeof(stop_members) / sizeof(stop_members[0]),
                 timeout_s, error);
}
