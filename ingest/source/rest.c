/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: a ring of messages, with a place for each 64 KiB: smaller ones are never written from
 * (writer/driver/gather.h). */
#include "ingest/source/rest.h"

#include <stdlib.h>

#define MESSAGE_BYTES ((uint64_t)64 << 10) /* the least that rests */
#define SHRINK        2                    /* messages; one comes for each that goes */

enum sluice_status sluice_rest_init(struct sluice_rest *rest, uint64_t bytes_max)
{
    *rest = (struct sluice_rest){.bytes_max = bytes_max};
    if (bytes_max == 0)
        return SLUICE_OK;
    const uint64_t room = bytes_max / MESSAGE_BYTES + 1;
    rest->room = room < UINT16_MAX ? (uint32_t)room : UINT16_MAX;
    rest->messages = calloc(rest->room, sizeof *rest->messages);
    return rest->messages != NULL ? SLUICE_OK : SLUICE_NO_MEMORY;
}

static void release_oldest(struct sluice_rest *rest)
{
    struct sluice_message *oldest = &rest->messages[rest->first];
    rest->bytes -= oldest->bytes;
    sluice_message_release(oldest);
    rest->first = (rest->first + 1) % rest->room;
    rest->count--;
}

void sluice_rest_put(struct sluice_rest *rest, struct sluice_message *message)
{
    if (message->bytes < MESSAGE_BYTES || message->bytes > rest->bytes_max) {
        sluice_message_release(message);
        return;
    }
    while (rest->count == rest->room ||
           (rest->count > 0 && rest->bytes + message->bytes > rest->bytes_max))
        release_oldest(rest);
    rest->bytes += message->bytes;
    sluice_message_move(&rest->messages[(rest->first + rest->count++) % rest->room], message);
}

void sluice_rest_shrink(struct sluice_rest *rest)
{
    for (uint32_t i = 0; i < SHRINK && rest->count > 0; i++)
        release_oldest(rest);
}

void sluice_rest_close(struct sluice_rest *rest)
{
    while (rest->count > 0)
        release_oldest(rest);
    free(rest->messages);
    *rest = (struct sluice_rest){0};
}
