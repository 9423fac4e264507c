/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds the tree from libyaml's events with an explicit stack of open collections, so that depth
 * costs no C stack. Every node hangs in one chain as soon as it exists; closing walks that chain
 * and needs no recursion either. Bounds are checked before memory is taken. */
#include "config/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <yaml.h>

struct builder {
    struct sluice_yaml *yaml;
    struct sluice_error *error;
    unsigned depth;
    struct {
        struct sluice_yaml_node *node;
        struct sluice_yaml_node **tail; /* where the next child is hung */
        bool key_next;                  /* MAPPING: a key comes next */
    } open[SLUICE_YAML_DEPTH_MAX];
};

static struct sluice_yaml_node *new_node(struct sluice_yaml *yaml, enum sluice_yaml_kind kind,
                                         unsigned line)
{
    struct sluice_yaml_node *node = calloc(1, sizeof *node);
    if (node) {
        node->kind = kind;
        node->line = line;
        node->older = yaml->newest;
        yaml->newest = node;
        yaml->node_count++;
    }
    return node;
}

/* Hangs a node below the innermost open collection, or makes it the root. */
static enum sluice_status hang(struct builder *b, struct sluice_yaml_node *node)
{
    if (b->depth == 0) {
        b->yaml->root = node;
        return SLUICE_OK;
    }
    unsigned top = b->depth - 1;
    if (b->open[top].node->kind == SLUICE_YAML_MAPPING) {
        if (b->open[top].key_next && node->kind != SLUICE_YAML_SCALAR) {
            return sluice_error_set(b->error, SLUICE_CONFIG,
                                    "line %u: a list or map can't be a key", node->line);
        }
        b->open[top].key_next = !b->open[top].key_next;
    }
    *b->open[top].tail = node;
    b->open[top].tail = &node->next;
    return SLUICE_OK;
}

static enum sluice_status add_scalar(struct builder *b, const yaml_event_t *event, unsigned line)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t bytes = event->data.scalar.length;
    if (bytes > SLUICE_YAML_SCALAR_MAX) {
        return sluice_error_set(b->error, SLUICE_LIMIT,
                                "line %u: a value of %zu bytes; at most %d are accepted", line,
                                bytes, SLUICE_YAML_SCALAR_MAX);
    }
    if (memchr(text, '\0', bytes))
        return sluice_error_set(b->error, SLUICE_CONFIG, "line %u: a value holds a NUL", line);
    struct sluice_yaml_node *node = new_node(b->yaml, SLUICE_YAML_SCALAR, line);
    if (!node || !(node->text = strndup(text, bytes)))
        return sluice_error_set(b->error, SLUICE_NO_MEMORY, "out of memory");
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return hang(b, node);
}

static enum sluice_status open_collection(struct builder *b, enum sluice_yaml_kind kind,
                                          unsigned line)
{
    if (b->depth == SLUICE_YAML_DEPTH_MAX) {
        return sluice_error_set(b->error, SLUICE_LIMIT, "line %u: nested deeper than %d", line,
                                SLUICE_YAML_DEPTH_MAX);
    }
    struct sluice_yaml_node *node = new_node(b->yaml, kind, line);
    if (!node)
        return sluice_error_set(b->error, SLUICE_NO_MEMORY, "out of memory");
    enum sluice_status status = hang(b, node);
    b->open[b->depth].node = node;
    b->open[b->depth].tail = &node->child;
    b->open[b->depth].key_next = true;
    b->depth++;
    return status;
}

/* Anchors, aliases and tags make one text mean another: not in a configuration. */
static enum sluice_status check_plain(struct builder *b, const yaml_event_t *event, unsigned line)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        anchor = event->data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor || tag) {
        return sluice_error_set(b->error, SLUICE_CONFIG,
                                "line %u: anchors (&), aliases (*) and tags (!) are not accepted; "
                                "quote the value if it begins with one of them",
                                line);
    }
    return SLUICE_OK;
}

static enum sluice_status take_event(struct builder *b, const yaml_event_t *event)
{
    unsigned line = (unsigned)event->start_mark.line + 1;
    enum sluice_status status = check_plain(b, event, line);
    if (status != SLUICE_OK)
        return status;
    if (b->yaml->node_count == SLUICE_YAML_NODES_MAX) {
        return sluice_error_set(b->error, SLUICE_LIMIT, "line %u: more than %d values", line,
                                SLUICE_YAML_NODES_MAX);
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->yaml->root) {
            return sluice_error_set(b->error, SLUICE_CONFIG,
                                    "line %u: a second document begins; only one is accepted",
                                    line);
        }
        return SLUICE_OK;
    case YAML_SCALAR_EVENT:
        return add_scalar(b, event, line);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(b, SLUICE_YAML_SEQUENCE, line);
    case YAML_MAPPING_START_EVENT:
        return open_collection(b, SLUICE_YAML_MAPPING, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return SLUICE_OK;
    default:
        return SLUICE_OK;
    }
}

static enum sluice_status parser_error(const yaml_parser_t *parser, struct sluice_error *error)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "out of memory");
    if (parser->error == YAML_READER_ERROR) { /* it knows the byte, not the line */
        return sluice_error_set(error, SLUICE_CONFIG, "byte %zu: not YAML: %s",
                                parser->problem_offset, parser->problem);
    }
    return sluice_error_set(error, SLUICE_CONFIG, "line %zu: not YAML: %s",
                            parser->problem_mark.line + 1,
                            parser->problem ? parser->problem : "unknown problem");
}

enum sluice_status sluice_yaml_parse(const char *text, size_t bytes, struct sluice_yaml *yaml,
                                     struct sluice_error *error)
{
    yaml_parser_t parser;
    yaml_event_t event;
    struct builder b = {.yaml = yaml, .error = error};
    enum sluice_status status = SLUICE_OK;
    bool at_end = false;

    memset(yaml, 0, sizeof *yaml);
    if (bytes > SLUICE_YAML_BYTES_MAX) {
        return sluice_error_set(error, SLUICE_LIMIT, "%zu bytes; at most %zu are accepted", bytes,
                                SLUICE_YAML_BYTES_MAX);
    }
    if (!yaml_parser_initialize(&parser))
        return sluice_error_set(error, SLUICE_NO_MEMORY, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    while (status == SLUICE_OK && !at_end) {
        if (!yaml_parser_parse(&parser, &event)) {
            status = parser_error(&parser, error);
            break;
        }
        status = take_event(&b, &event);
        at_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

void sluice_yaml_close(struct sluice_yaml *yaml)
{
    while (yaml->newest) {
        struct sluice_yaml_node *node = yaml->newest;
        yaml->newest = node->older;
        free(node->text);
        free(node);
    }
    memset(yaml, 0, sizeof *yaml);
}

bool sluice_yaml_is_null(const struct sluice_yaml_node *node)
{
    return node->kind == SLUICE_YAML_SCALAR && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcasecmp(node->text, "null") == 0);
}
