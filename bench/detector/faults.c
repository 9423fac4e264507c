/* SPDX-License-Identifier: Apache-2.0
 *
 * One table of faults; the parser follows the form that it gives. */
#include "bench/detector/faults.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANY   ((1u << SLUICE_WIRE_PROTOCOL_COUNT) - 1)
#define ARRAY (1u << SLUICE_WIRE_ARRAY)
/* Whose messages name a series. */
#define SERIES (1u << SLUICE_WIRE_STREAM2 | 1u << SLUICE_WIRE_STREAM1)

static const struct sluice_fault_info table[SLUICE_FAULT_KIND_COUNT] = {
    [SLUICE_FAULT_LOST] = {"lost", "IDS", "images that are never sent", SLUICE_FAULT_IDS, ANY},
    [SLUICE_FAULT_DOUBLED] = {"doubled", "IDS", "images sent twice in a row", SLUICE_FAULT_IDS,
                              ANY},
    [SLUICE_FAULT_LATE] = {"late", "ID:BY,...", "images sent BY images later", SLUICE_FAULT_PAIRS,
                           ANY},
    [SLUICE_FAULT_REVERSED] = {"reversed", NULL, "all images in reverse order", SLUICE_FAULT_FLAG,
                               ANY},
    [SLUICE_FAULT_REORDER] = {"reorder", "WINDOW", "images shuffled within windows of WINDOW",
                              SLUICE_FAULT_VALUE, ANY},
    [SLUICE_FAULT_NOEND] = {"noend", NULL, "no end message", SLUICE_FAULT_FLAG, SERIES},
    [SLUICE_FAULT_ABORT] = {"abort", "K", "nothing more is sent after K images, no end either",
                            SLUICE_FAULT_VALUE, ANY},
    [SLUICE_FAULT_NOSTART] = {"nostart", NULL, "no start message", SLUICE_FAULT_FLAG, SERIES},
    [SLUICE_FAULT_START_LATE] = {"start-late", "K", "the start message after K images",
                                 SLUICE_FAULT_VALUE, SERIES},
    [SLUICE_FAULT_FOREIGN] = {"foreign", "IDS",
                              "an image of another series (same id) before each of these",
                              SLUICE_FAULT_IDS, SERIES},
    [SLUICE_FAULT_EARLY] = {"early", "K", "K images of an older series before the start",
                            SLUICE_FAULT_VALUE, SERIES},
    [SLUICE_FAULT_RESTART] = {"restart", "K", "the start message again after K images",
                              SLUICE_FAULT_VALUE, SERIES},
    [SLUICE_FAULT_NEWSTART] = {"newstart", "K",
                               "the first series stops after K images without an end; one more "
                               "series follows",
                               SLUICE_FAULT_VALUE, SERIES},
    [SLUICE_FAULT_NUMBER] = {"number", "N", "number_of_images says N", SLUICE_FAULT_VALUE, SERIES},
    [SLUICE_FAULT_CORRUPT] =
        {"corrupt", "IDS", "bytes flipped in the payload's framing or in the header of the image",
         SLUICE_FAULT_IDS, ANY},
    [SLUICE_FAULT_TRUNCATED] = {"truncated", "IDS", "messages cut short", SLUICE_FAULT_IDS, ANY},
    [SLUICE_FAULT_WRONGSIZE] = {"wrongsize", "IDS", "one row more announced than there is",
                                SLUICE_FAULT_IDS, ANY},
    [SLUICE_FAULT_WRONGTYPE] = {"wrongtype", "IDS", "another element size announced than there is",
                                SLUICE_FAULT_IDS, ANY},
    [SLUICE_FAULT_RANDOM] = {"random", "IDS", "random bytes instead of the message",
                             SLUICE_FAULT_IDS, ANY},
    [SLUICE_FAULT_STALL] = {"stall", "ID:MS,...", "nothing is sent for MS ms before these",
                            SLUICE_FAULT_PAIRS, ANY},
    [SLUICE_FAULT_SECOND_CLIENT] = {"second-client", "even|odd", "these ids went to another client",
                                    SLUICE_FAULT_PARITY, ANY},
    [SLUICE_FAULT_RESHAPE] = {"reshape", "K", "one row less from image K on: a new acquisition",
                              SLUICE_FAULT_VALUE, ARRAY},
    [SLUICE_FAULT_RETYPE] = {"retype", "K", "another element type from image K on: the same",
                             SLUICE_FAULT_VALUE, ARRAY},
};

const struct sluice_fault_info *sluice_fault_info(enum sluice_fault_kind kind)
{
    return &table[kind];
}

const struct sluice_fault *sluice_faults_get(const struct sluice_faults *faults,
                                             enum sluice_fault_kind kind)
{
    for (size_t i = 0; i < faults->count; i++)
        if (faults->items[i].kind == kind)
            return &faults->items[i];
    return NULL;
}

void sluice_faults_close(struct sluice_faults *faults)
{
    free(faults->items);
    *faults = (struct sluice_faults){0};
}

enum sluice_status sluice_faults_check(const struct sluice_faults *faults, uint64_t image_count,
                                       enum sluice_wire_protocol protocol,
                                       struct sluice_error *error)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct sluice_fault *fault = &faults->items[i];
        if (!(table[fault->kind].protocols & 1u << protocol))
            return sluice_error_set(error, SLUICE_USAGE, "--fault %s: %s", table[fault->kind].name,
                                    protocol == SLUICE_WIRE_ARRAY
                                        ? "messages of array-1.0 name no series"
                                        : "only array-1.0 knows it");
        if (fault->share == 0 && fault->last >= image_count)
            return sluice_error_set(error, SLUICE_USAGE,
                                    "--fault %s: image %llu is not among the %llu (ids from 0)",
                                    table[fault->kind].name, (unsigned long long)fault->last,
                                    (unsigned long long)image_count);
    }
    return SLUICE_OK;
}

static enum sluice_status append(struct sluice_faults *faults, const struct sluice_fault *fault,
                                 struct sluice_error *error)
{
    struct sluice_fault *items =
        realloc(faults->items, (faults->count + 1) * sizeof *faults->items);
    if (!items)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a list of faults");
    items[faults->count++] = *fault;
    faults->items = items;
    return SLUICE_OK;
}

/* Reads digits and moves behind them. */
static bool read_number(const char **text, uint64_t *value)
{
    if (!isdigit((unsigned char)**text))
        return false;
    char *end;
    errno = 0;
    *value = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* Reads "5%" or "0.25%" and moves behind it. */
static bool read_share(const char **text, double *share)
{
    size_t length = strspn(*text, "0123456789.");
    char *end;
    if (!isdigit((unsigned char)**text) || (*text)[length] != '%')
        return false;
    *share = strtod(*text, &end) / 100;
    bool whole = end == *text + length;
    *text += length + 1;
    return whole && *share > 0 && *share <= 1;
}

/* One entry of IDS or PAIRS: "7", "10-20", "5%", with ":NUMBER" where the form wants it. */
static bool read_entry(const char **text, enum sluice_fault_form form, struct sluice_fault *fault)
{
    if (!read_share(text, &fault->share)) {
        if (fault->share != 0 || !read_number(text, &fault->first))
            return false;
        fault->last = fault->first;
        if (**text == '-') {
            (*text)++;
            if (!read_number(text, &fault->last) || fault->last < fault->first)
                return false;
        }
    }
    if (form == SLUICE_FAULT_IDS)
        return true;
    if (**text != ':')
        return false;
    (*text)++;
    return read_number(text, &fault->argument);
}

static enum sluice_status add_list(struct sluice_faults *faults, enum sluice_fault_kind kind,
                                   const char *value, struct sluice_error *error)
{
    const char *at = value;
    for (;;) {
        struct sluice_fault fault = {.kind = kind};
        if (!read_entry(&at, table[kind].form, &fault) || (*at && *at != ','))
            return sluice_error_set(
                error, SLUICE_USAGE, "--fault %s=%s: expected %s, for example %s", table[kind].name,
                value, table[kind].value,
                table[kind].form == SLUICE_FAULT_IDS ? "3,7,10-20 or 5%" : "5:3,10-20:7 or 1%:3");
        enum sluice_status status = append(faults, &fault, error);
        if (status != SLUICE_OK || !*at)
            return status;
        at++;
    }
}

static enum sluice_status add_single(struct sluice_faults *faults, enum sluice_fault_kind kind,
                                     const char *value, struct sluice_error *error)
{
    struct sluice_fault fault = {.kind = kind};
    const char *at = value;
    bool good = false;
    switch (table[kind].form) {
    case SLUICE_FAULT_FLAG:
        good = !value;
        break;
    case SLUICE_FAULT_PARITY:
        fault.argument = value && strcmp(value, "odd") == 0;
        good = value && (fault.argument || strcmp(value, "even") == 0);
        break;
    default:
        good = value && read_number(&at, &fault.argument) && !*at;
        break;
    }
    if (!good)
        return sluice_error_set(error, SLUICE_USAGE, "--fault %s: %s %s", table[kind].name,
                                table[kind].value ? "it needs" : "it takes no value",
                                table[kind].value ? table[kind].value : "");
    if (sluice_faults_get(faults, kind))
        return sluice_error_set(error, SLUICE_USAGE, "--fault %s is given twice", table[kind].name);
    return append(faults, &fault, error);
}

enum sluice_status sluice_faults_add(struct sluice_faults *faults, const char *text,
                                     struct sluice_error *error)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    for (int kind = 0; kind < SLUICE_FAULT_KIND_COUNT; kind++) {
        if (strlen(table[kind].name) != length || strncmp(table[kind].name, text, length) != 0)
            continue;
        bool is_list =
            table[kind].form == SLUICE_FAULT_IDS || table[kind].form == SLUICE_FAULT_PAIRS;
        if (is_list)
            return add_list(faults, (enum sluice_fault_kind)kind, equals ? equals + 1 : "", error);
        return add_single(faults, (enum sluice_fault_kind)kind, equals ? equals + 1 : NULL, error);
    }
    return sluice_error_set(error, SLUICE_USAGE, "--fault %s: no such kind; --help lists them",
                            text);
}
