/* SPDX-License-Identifier: Apache-2.0
 *
 * From a file or a `key=value` to the fields. A file is read whole (bounded), made into a tree, and
 * the tree walked along the sections of the table: what is no section and no key is an error before
 * anything below it is looked at. Keys may also be written with dots ("source.endpoint: …"). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"

#define KEY_BYTES_MAX 128

struct load {
    struct sluice_config *config;
    const char *file;                     /* owned by the configuration */
    unsigned seen_line[SLUICE_KEY_COUNT]; /* 0: not in this document */
    struct sluice_error *error;
};

static enum sluice_status unknown_key(const char *name, struct sluice_error *error)
{
    const char *nearest = sluice_config_nearest_key(name);
    if (nearest) {
        return sluice_error_set(error, SLUICE_CONFIG, "unknown key \"%.128s\"; did you mean %s?",
                                name, nearest);
    }
    return sluice_error_set(error, SLUICE_CONFIG,
                            "unknown key \"%.128s\"; `sluice config --keys` lists them", name);
}

static enum sluice_status load_key(struct load *load, const char *name,
                                   const struct sluice_yaml_node *key_node)
{
    enum sluice_config_key_id id = sluice_config_find(name);
    if (id == SLUICE_KEY_COUNT)
        return unknown_key(name, load->error);
    if (load->seen_line[id] != 0) {
        return sluice_error_set(load->error, SLUICE_CONFIG,
                                "%s stands there twice, first in line %u", name,
                                load->seen_line[id]);
    }
    load->seen_line[id] = key_node->line;
    enum sluice_status status =
        sluice_value_store(load->config, sluice_config_key(id), key_node->next, load->error);
    if (status == SLUICE_OK) {
        load->config->origins[id].file = load->file;
        load->config->origins[id].line = key_node->line;
    }
    return status;
}

/* The entries of one mapping, whose keys lie below `section` ("" at the top). */
static enum sluice_status load_mapping(struct load *load, const char *section,
                                       const struct sluice_yaml_node *mapping)
{
    char name[KEY_BYTES_MAX];
    for (const struct sluice_yaml_node *key = mapping->child; key; key = key->next->next) {
        const struct sluice_yaml_node *value = key->next;
        enum sluice_status status;
        int length = snprintf(name, sizeof name, "%s%s%s", section, *section ? "." : "", key->text);
        if (length >= (int)sizeof name) {
            status = unknown_key(name, load->error);
        } else if (*section || !sluice_config_is_section(name)) {
            status = load_key(load, name, key);
        } else if (sluice_yaml_is_null(value)) { /* a section whose keys are all commented out */
            status = SLUICE_OK;
        } else if (value->kind != SLUICE_YAML_MAPPING) {
            status = sluice_error_set(load->error, SLUICE_CONFIG,
                                      "%s is a section: want a map of keys below it", name);
        } else {
            status = load_mapping(load, name, value);
            if (status != SLUICE_OK)
                return status; /* the line is in it already */
        }
        if (status != SLUICE_OK) {
            sluice_error_prefix(load->error, "%s:%u", load->file, key->line);
            return status;
        }
    }
    return SLUICE_OK;
}

enum sluice_status sluice_config_load_text(struct sluice_config *config, const char *text,
                                           size_t bytes, const char *name,
                                           struct sluice_error *error)
{
    struct load load = {.config = config, .error = error};
    struct sluice_yaml yaml;
    load.file = sluice_config_keep(config, name);
    if (!load.file)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "out of memory");
    enum sluice_status status = sluice_yaml_parse(text, bytes, &yaml, error);
    if (status != SLUICE_OK) {
        sluice_error_prefix(error, "%s", name);
    } else if (yaml.root && yaml.root->kind == SLUICE_YAML_MAPPING) {
        status = load_mapping(&load, "", yaml.root);
    } else if (yaml.root && !sluice_yaml_is_null(yaml.root)) {
        status = sluice_error_set(error, SLUICE_CONFIG, "%s:%u: want a map of keys at the top",
                                  name, yaml.root->line);
    }
    sluice_yaml_close(&yaml);
    return status;
}

enum sluice_status sluice_config_load_file(struct sluice_config *config, const char *path,
                                           struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    size_t bytes = 0;
    char *text = NULL;
    FILE *file = fopen(path, "re");
    if (!file)
        return sluice_error_errno(error, SLUICE_CONFIG, errno, "%s", path);
    text = malloc(SLUICE_YAML_BYTES_MAX + 1);
    if (!text) {
        status = sluice_error_set(error, SLUICE_NO_MEMORY, "out of memory");
        goto fail;
    }
    bytes = fread(text, 1, SLUICE_YAML_BYTES_MAX + 1, file);
    if (ferror(file)) {
        status = sluice_error_errno(error, SLUICE_CONFIG, errno, "%s", path);
        goto fail;
    }
    status = sluice_config_load_text(config, text, bytes, path, error);
fail:
    free(text);
    fclose(file);
    return status;
}

/* [..], {..} and "..": YAML. */
static enum sluice_status set_yaml(struct sluice_config *config,
                                   const struct sluice_config_key *key, const char *text,
                                   struct sluice_error *error)
{
    struct sluice_yaml yaml;
    enum sluice_status status = sluice_yaml_parse(text, strlen(text), &yaml, error);
    if (status != SLUICE_OK)
        sluice_error_prefix(error, "%s", key->name);
    else
        status = sluice_value_store(config, key, yaml.root, error);
    sluice_yaml_close(&yaml);
    return status;
}

/* a,b,c */
static enum sluice_status set_list(struct sluice_config *config,
                                   const struct sluice_config_key *key, char *text,
                                   struct sluice_error *error)
{
    struct sluice_yaml_node entries[SLUICE_DIRECTORIES_MAX + 1] = {0};
    struct sluice_yaml_node list = {.kind = SLUICE_YAML_SEQUENCE, .child = entries};
    size_t count = 0;
    for (char *part; count <= SLUICE_DIRECTORIES_MAX && (part = strsep(&text, ","));) {
        entries[count].text = part;
        if (count > 0)
            entries[count - 1].next = &entries[count];
        count++;
    }
    return sluice_value_store(config, key, &list, error);
}

static enum sluice_status set_text(struct sluice_config *config,
                                   const struct sluice_config_key *key, char *text,
                                   struct sluice_error *error)
{
    bool is_text = key->type == SLUICE_TYPE_TEXT || key->type == SLUICE_TYPE_NAME ||
                   key->type == SLUICE_TYPE_ENDPOINT;
    struct sluice_yaml_node node = {.kind = SLUICE_YAML_SCALAR, .plain = !is_text, .text = text};
    if (*text == '"' || (!is_text && (*text == '[' || *text == '{')))
        return set_yaml(config, key, text, error);
    if (key->type == SLUICE_TYPE_DIRECTORIES)
        return set_list(config, key, text, error);
    return sluice_value_store(config, key, &node, error);
}

enum sluice_status sluice_config_set(struct sluice_config *config, const char *assignment,
                                     struct sluice_error *error)
{
    enum sluice_config_key_id id;
    enum sluice_status status;
    char *equals, *copy = strdup(assignment);
    if (!copy)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "out of memory");
    equals = strchr(copy, '=');
    if (!equals) {
        status = sluice_error_set(error, SLUICE_CONFIG,
                                  "\"%.128s\": want KEY=VALUE, such as writer.images_per_file=1000",
                                  assignment);
        goto fail;
    }
    *equals = '\0';
    id = sluice_config_find(copy);
    if (id == SLUICE_KEY_COUNT) {
        status = unknown_key(copy, error);
        goto fail;
    }
    status = set_text(config, sluice_config_key(id), equals + 1, error);
    if (status == SLUICE_OK) {
        config->origins[id].file = NULL;
        config->origins[id].line = 1;
    }
fail:
    free(copy);
    return status;
}

enum sluice_status sluice_config_init(struct sluice_config *config, struct sluice_error *error)
{
    char text[64];
    memset(config, 0, sizeof *config);
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        snprintf(text, sizeof text, "%s", key->default_text);
        enum sluice_status status = set_text(config, key, text, error);
        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}
