/* SPDX-License-Identifier: Apache-2.0
 *
 * One value: from a YAML node into the field of its key, and back to text. Private to config/. */
#ifndef SLUICE_CONFIG_VALUE_H
#define SLUICE_CONFIG_VALUE_H

#include "config/keys.h"
#include "config/yaml.h"

/* Checks type, unit and bounds, then stores. On an error the field is unchanged and the message
 * names the key, what was there and what is wanted. */
enum sluice_status sluice_value_store(struct sluice_config *config,
                                      const struct sluice_config_key *key,
                                      const struct sluice_yaml_node *node,
                                      struct sluice_error *error);

/* What one unit of the key is in its field: ns for MS and US, else 1. */
int64_t sluice_value_unit_ns(const struct sluice_config_key *key);

/* Writes the field as YAML that loads again. */
void sluice_value_print(const struct sluice_config *config, const struct sluice_config_key *key,
                        FILE *stream);

/* A copy that the configuration owns; NULL when memory is out. */
const char *sluice_config_keep(struct sluice_config *config, const char *text);

#endif
