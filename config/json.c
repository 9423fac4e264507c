/* SPDX-License-Identifier: Apache-2.0
 *
 * The effective configuration as JSON, for programs: an object a section, values as they would
 * stand in the file (JSON is YAML, so what is printed loads again). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "core/json.h"

static void put_directories(struct sluice_json *json, const struct sluice_writer_settings *writer)
{
    sluice_json_array_begin(json);
    for (size_t i = 0; i < writer->directory_count; i++)
        sluice_json_text(json, writer->directories[i]);
    sluice_json_array_end(json);
}

static void put_axes(struct sluice_json *json, const struct sluice_metadata_settings *metadata)
{
    sluice_json_object_begin(json);
    for (size_t i = 0; i < metadata->axis_count; i++) {
        sluice_json_key(json, metadata->axes[i].name);
        sluice_json_array_begin(json);
        for (int k = 0; k < 3; k++)
            sluice_json_double(json, metadata->axes[i].vector[k]);
        sluice_json_array_end(json);
    }
    sluice_json_object_end(json);
}

static bool is_number(const char *text)
{
    return text[*text == '-'] != '\0' &&
           strspn(text + (*text == '-'), "0123456789") == strlen(text + (*text == '-'));
}

/* Numbers, and octal ones in quotes, as they are printed; a word becomes a text. */
static void put_printed(struct sluice_json *json, const struct sluice_config *config,
                        const struct sluice_config_key *key)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (stream != NULL)
        sluice_value_print(config, key, stream);
    if (stream == NULL || fclose(stream) != 0 || text == NULL) {
        json->failed = true;
    } else if (*text == '"' || is_number(text)) {
        sluice_json_raw(json, text);
    } else {
        sluice_json_text(json, text);
    }
    free(text);
}

static void put_value(struct sluice_json *json, const struct sluice_config *config,
                      const struct sluice_config_key *key)
{
    const char *text;
    switch (key->type) {
    case SLUICE_TYPE_TEXT:
    case SLUICE_TYPE_NAME:
    case SLUICE_TYPE_ENDPOINT:
        memcpy(&text, (const char *)config + key->offset, sizeof text);
        if (*text == '\0' && strcmp(key->default_text, "off") == 0)
            text = "off";
        sluice_json_text(json, text);
        return;
    case SLUICE_TYPE_DIRECTORIES:
        put_directories(json, &config->writer);
        return;
    case SLUICE_TYPE_AXES:
        put_axes(json, &config->writer.metadata);
        return;
    default:
        put_printed(json, config, key);
    }
}

void sluice_config_print_json(const struct sluice_config *config, FILE *stream)
{
    struct sluice_json json = {0};
    const char *section = "";
    sluice_json_object_begin(&json);
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        if (strcmp(section, key->section) != 0) {
            if (*section)
                sluice_json_object_end(&json);
            section = key->section;
            sluice_json_key(&json, section);
            sluice_json_object_begin(&json);
        }
        sluice_json_key(&json, key->short_name);
        put_value(&json, config, key);
    }
    sluice_json_object_end(&json);
    sluice_json_object_end(&json);
    if (!json.failed)
        fputs(json.text, stream);
    sluice_json_close(&json);
}
