/* SPDX-License-Identifier: Apache-2.0
 *
 * A small YAML (or JSON) document as a tree, bounded in depth, nodes and bytes, without anchors,
 * aliases and tags. Owned by the caller, one thread. Private to config/. */
#ifndef SLUICE_CONFIG_YAML_H
#define SLUICE_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

#define SLUICE_YAML_BYTES_MAX  ((size_t)1 << 20)
#define SLUICE_YAML_SCALAR_MAX 4096
#define SLUICE_YAML_DEPTH_MAX  8
#define SLUICE_YAML_NODES_MAX  4096

enum sluice_yaml_kind {
    SLUICE_YAML_SCALAR,
    SLUICE_YAML_SEQUENCE,
    SLUICE_YAML_MAPPING,
};

struct sluice_yaml_node {
    enum sluice_yaml_kind kind;
    unsigned line; /* from 1 */
    bool plain;    /* SCALAR: not quoted */
    char *text;    /* SCALAR: UTF-8 without NUL */
    /* SEQUENCE: the entries; MAPPING: key, value, key, value, …, every key a SCALAR */
    struct sluice_yaml_node *child;
    struct sluice_yaml_node *next;  /* brother */
    struct sluice_yaml_node *older; /* the tree's chain of all nodes */
};

struct sluice_yaml {
    struct sluice_yaml_node *root; /* NULL: an empty document */
    struct sluice_yaml_node *newest;
    size_t node_count;
};

/* CONFIG, LIMIT (both with "line N: …") or NO_MEMORY. Close the tree in any case. */
enum sluice_status sluice_yaml_parse(const char *text, size_t bytes, struct sluice_yaml *yaml,
                                     struct sluice_error *error);
void sluice_yaml_close(struct sluice_yaml *yaml);

/* True for a plain scalar without value: nothing, ~ or null. */
bool sluice_yaml_is_null(const struct sluice_yaml_node *node);

#endif
