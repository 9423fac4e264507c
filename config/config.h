/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration of one instance: one YAML file and `--set key=value`, over the typed table
 * keys.def. Every key has a default; an unknown key, a wrong type, unit or bound is an error
 * (SLUICE_CONFIG) that names file, line and key and says what is wanted.
 *
 * Use: init, load_file, set…, finish, then read the fields; close at the end. Texts and lists in
 * the struct, also those in the rooms' settings, belong to it and live until close. One thread;
 * cold. */
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include <stdio.h>

#include "core/agent.h"
#include "core/error.h"
#include "core/log.h"
#include "core/memory.h"
#include "ingest/encode/settings.h"
#include "ingest/source/settings.h"
#include "writer/settings.h"

/* SLUICE_KEY_source_endpoint … */
enum sluice_config_key_id {
#define X(section, name, ...) SLUICE_KEY_##section##_##name,
#include "config/keys.def"
#undef X
    SLUICE_KEY_COUNT,
};

/* Where a value came from. */
struct sluice_config_origin {
    const char *file; /* owned; NULL: the default, or --set */
    unsigned line;    /* in `file`; 0: the default; without a file not 0: --set */
};

struct sluice_config {
    /* Filled from the keys; "" where an endpoint is off or a text was left empty. */
    const char *instance_name;
    const char *state_directory;
    enum sluice_log_level log_level;
    struct sluice_source_settings source; /* series_max stays 0: it is no key */
    struct sluice_agent_settings source_agent;
    struct sluice_encode_settings codec;
    struct sluice_writer_settings writer;
    struct sluice_agent_settings writer_agent;
    struct sluice_memory_settings memory;
    const char *notify_endpoint, *notify_curve_secret_file;
    const char *http_listen, *http_token_file, *http_host_names;
    uint32_t http_connections_max;

    struct sluice_config_origin origins[SLUICE_KEY_COUNT];
    struct sluice_config_text *texts; /* every text above; freed by close */
};

/* Every key at its default. NO_MEMORY only. Close it also after an error. */
enum sluice_status sluice_config_init(struct sluice_config *config, struct sluice_error *error);
void sluice_config_close(struct sluice_config *config); /* zeroed memory is acceptable */

/* Sets what the file says. After an error some keys may be set and the rest not. */
enum sluice_status sluice_config_load_file(struct sluice_config *config, const char *path,
                                           struct sluice_error *error);
/* The same from memory; `name` stands for the file in messages. */
enum sluice_status sluice_config_load_text(struct sluice_config *config, const char *text,
                                           size_t bytes, const char *name,
                                           struct sluice_error *error);
/* "key=value". Texts are taken as they are; a list may be "a,b" or "[a, b]", a map "{a: …}"; a
 * value in double quotes is unquoted as in YAML. */
enum sluice_status sluice_config_set(struct sluice_config *config, const char *assignment,
                                     struct sluice_error *error);
/* Checks keys against each other and fills what depends on others (state_directory, copies in the
 * rooms' settings). Once, after everything is set. */
enum sluice_status sluice_config_finish(struct sluice_config *config, struct sluice_error *error);
/* CONFIG when the text of this key is empty: it says what to set. */
enum sluice_status sluice_config_require(const struct sluice_config *config,
                                         enum sluice_config_key_id key, struct sluice_error *error);

/* The effective configuration, as YAML that loads again, each key with where it came from. */
void sluice_config_print(const struct sluice_config *config, FILE *stream);
/* The same as one line of JSON, without the origins; nothing when memory is out. */
void sluice_config_print_json(const struct sluice_config *config, FILE *stream);

/* From the table alone: a list for a terminal, docs/configuration.md, config/sluice.yaml. */
void sluice_config_print_keys(FILE *stream);
void sluice_config_print_markdown(FILE *stream);
void sluice_config_print_example(FILE *stream);

#endif
