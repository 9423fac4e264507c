/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that is printed about keys: the effective configuration, and the table as a list, as
 * Markdown and as an example file. Texts are always quoted, so that what is printed loads again. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"
#include "config/value.h"

static int64_t get_integer(const struct sluice_config *config, const struct sluice_config_key *key)
{
    const char *field = (const char *)config + key->offset;
    uint32_t narrow;
    int64_t value;
    if (key->bytes == sizeof(bool))
        return *(const bool *)field;
    if (key->bytes == sizeof narrow) {
        memcpy(&narrow, field, sizeof narrow);
        return key->type == SLUICE_TYPE_INT ? (int32_t)narrow : (int64_t)narrow;
    }
    memcpy(&value, field, sizeof value);
    return value;
}

static void print_quoted(const char *text, FILE *stream)
{
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

/* The shortest text that reads back as the same number. */
static void print_double(double value, FILE *stream)
{
    char text[32];
    int digits = 15;
    do {
        snprintf(text, sizeof text, "%.*g", digits++, value);
    } while (digits <= 17 && strtod(text, NULL) != value);
    fputs(text, stream);
}

static void print_directories(const struct sluice_writer_settings *writer, FILE *stream)
{
    fputc('[', stream);
    for (size_t i = 0; i < writer->directory_count; i++) {
        fputs(i ? ", " : "", stream);
        print_quoted(writer->directories[i], stream);
    }
    fputc(']', stream);
}

static void print_axes(const struct sluice_metadata_settings *metadata, FILE *stream)
{
    fputc('{', stream);
    for (size_t i = 0; i < metadata->axis_count; i++) {
        fputs(i ? ", " : "", stream);
        print_quoted(metadata->axes[i].name, stream);
        fputs(": [", stream);
        for (int k = 0; k < 3; k++) {
            fputs(k ? ", " : "", stream);
            print_double(metadata->axes[i].vector[k], stream);
        }
        fputc(']', stream);
    }
    fputc('}', stream);
}

void sluice_value_print(const struct sluice_config *config, const struct sluice_config_key *key,
                        FILE *stream)
{
    char word[32];
    const char *text;
    switch (key->type) {
    case SLUICE_TYPE_TEXT:
    case SLUICE_TYPE_NAME:
    case SLUICE_TYPE_ENDPOINT:
        memcpy(&text, (const char *)config + key->offset, sizeof text);
        if (*text == '\0' && strcmp(key->default_text, "off") == 0)
            fputs("off", stream);
        else
            print_quoted(text, stream);
        return;
    case SLUICE_TYPE_CHOICE:
        if (sluice_config_choice(key, (unsigned)get_integer(config, key), word, sizeof word))
            fputs(word, stream);
        return;
    case SLUICE_TYPE_MODE:
        fprintf(stream, "\"0%" PRIo64 "\"", get_integer(config, key));
        return;
    case SLUICE_TYPE_BYTES:
        sluice_config_describe_bytes(get_integer(config, key), word, sizeof word);
        fputs(word, stream);
        return;
    case SLUICE_TYPE_DIRECTORIES:
        print_directories(&config->writer, stream);
        return;
    case SLUICE_TYPE_AXES:
        print_axes(&config->writer.metadata, stream);
        return;
    default:
        if (sluice_config_may_be_auto(key) && get_integer(config, key) < 0)
            fputs("auto", stream);
        else
            fprintf(stream, "%" PRId64, get_integer(config, key) / sluice_value_unit_ns(key));
    }
}

/* True when the key begins a section of the table. */
static bool begins_section(unsigned id)
{
    return id == 0 || strcmp(sluice_config_key((enum sluice_config_key_id)id)->section,
                             sluice_config_key((enum sluice_config_key_id)(id - 1))->section) != 0;
}

void sluice_config_print(const struct sluice_config *config, FILE *stream)
{
    fputs("# The effective configuration of sluice.\n", stream);
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        const struct sluice_config_origin *origin = &config->origins[id];
        if (begins_section(id))
            fprintf(stream, "%s:\n", key->section);
        fprintf(stream, "  %s: ", key->short_name);
        sluice_value_print(config, key, stream);
        if (origin->file) {
            const char *file = sluice_text_is_printable(origin->file) ? origin->file : "file";
            fprintf(stream, " # %s:%u\n", file, origin->line);
        } else {
            fputs(origin->line ? " # --set\n" : " # default\n", stream);
        }
    }
}

/* Words of `text`, wrapped at `width`, each line after `indent`. */
static void print_wrapped(const char *text, const char *indent, size_t width, FILE *stream)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > width) {
            fputc('\n', stream);
            column = 0;
        }
        column += (size_t)fprintf(stream, "%s%.*s", column ? " " : indent, (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

static const char *shown_default(const struct sluice_config_key *key)
{
    return *key->default_text ? key->default_text : "\"\"";
}

void sluice_config_print_keys(FILE *stream)
{
    char values[256];
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        sluice_config_describe(key, values, sizeof values);
        fprintf(stream, "%s (default %s)\n", key->name, shown_default(key));
        print_wrapped(key->help, "      ", 90, stream);
        print_wrapped(values, "      ", 90, stream);
    }
}

/* A cell of a Markdown table: '|' would end it. */
static void print_cell(const char *text, FILE *stream)
{
    for (; *text; text++)
        fputs(*text == '|' ? "\\|" : (char[2]){*text, '\0'}, stream);
    fputs(" | ", stream);
}

void sluice_config_print_markdown(FILE *stream)
{
    char values[256], cell[320];
    fputs("# Configuration\n\n"
          "One YAML file (`-c FILE`; JSON is YAML too) and any number of `--set KEY=VALUE`, which "
          "come after it.\nEvery key has a default, so this is enough:\n\n"
          "```\nsluice ingest --set source.endpoint=tcp://detector:31001\n```\n\n"
          "An unknown key, a wrong type, unit or bound is an error that names file, line and key. "
          "`sluice config`\nprints the effective configuration and where each value came from; "
          "[`config/sluice.yaml`](../config/sluice.yaml)\nis an example with every key. Sections "
          "are maps (`writer:` and below it `directory: /data`); the dotted\nform "
          "(`writer.directory: /data`) works too.\n\n"
          "Sizes may have a unit (`1GiB`, `512MB`); times are plain numbers in the unit that the "
          "key's name ends in.\nPermissions are octal with a leading 0. A list may be given as "
          "`--set writer.directory=/a,/b` or\n`--set 'writer.directory=[\"/a\", \"/b\"]'`.\n\n"
          "This page is generated from the key table `config/keys.def` by `sluice config "
          "--markdown`.\n",
          stream);
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        if (begins_section(id)) {
            fprintf(stream, "\n## %s\n\n| Key | Default | Value | Meaning |\n|---|---|---|---|\n",
                    key->section);
        }
        sluice_config_describe(key, values, sizeof values);
        snprintf(cell, sizeof cell, "`%s`", key->name);
        fputs("| ", stream);
        print_cell(cell, stream);
        snprintf(cell, sizeof cell, "`%s`", shown_default(key));
        print_cell(cell, stream);
        print_cell(values, stream);
        fprintf(stream, "%s |\n", key->help);
    }
}

void sluice_config_print_example(FILE *stream)
{
    fputs("# SPDX-License-Identifier: Apache-2.0\n"
          "#\n"
          "# An example of a Sluice configuration: every key with its default, commented out, but "
          "for the\n# one that has none. Check a file of your own with `sluice config -c FILE`.\n"
          "# Generated from config/keys.def by `sluice config --example`.\n",
          stream);
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        const char *value = shown_default(key);
        if (begins_section(id))
            fprintf(stream, "\n%s:\n", key->section);
        print_wrapped(key->help, "  # ", 94, stream);
        if (id == SLUICE_KEY_source_endpoint) {
            fprintf(stream, "  %s: tcp://127.0.0.1:31001\n", key->short_name);
        } else {
            const char *quote = key->type == SLUICE_TYPE_MODE ? "\"" : "";
            fprintf(stream, "  #%s: %s%s%s\n", key->short_name, quote, value, quote);
        }
    }
}
