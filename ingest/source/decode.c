/* SPDX-License-Identifier: Apache-2.0
 *
 * The message in hand: of which protocol it is, and what it says.
 *
 * With source.protocol: auto the first message that any protocol knows decides. From then on each
 * message is held against that protocol first, by a few of its bytes; one that it does not know is
 * shown to the others. Between two series another protocol is simply taken up. Within a series only
 * its start message is: it opens a new series, as any other start does. Whatever else arrives of
 * another protocol, or of none that is known, is refused and counted, and the next is looked at. */
#include <stdio.h>
#include <string.h>

#include "ingest/source/internal.h"

/* By enum sluice_protocol; NULL for AUTO. */
static const struct sluice_protocol_ops *const protocols[] = {
    [SLUICE_PROTOCOL_AUTO] = NULL,
    [SLUICE_PROTOCOL_STREAM2] = &sluice_stream2_protocol,
    [SLUICE_PROTOCOL_STREAM1] = &sluice_stream1_protocol,
    [SLUICE_PROTOCOL_ARRAY10] = &sluice_array10_protocol,
};

#define PROTOCOL_COUNT (sizeof(protocols) / sizeof(protocols[0]))

const struct sluice_protocol_ops *sluice_source_protocol(enum sluice_protocol protocol)
{
    return (size_t)protocol < PROTOCOL_COUNT ? protocols[protocol] : NULL;
}

static const struct sluice_protocol_ops *probe_all(const struct sluice_parts *parts)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (protocols[i] != NULL && protocols[i]->probe(parts))
            return protocols[i];
    return NULL;
}

/* NULL: no protocol knows it, and none has been known before. */
static const struct sluice_protocol_ops *choose(const struct sluice_source *source,
                                                const struct sluice_parts *parts)
{
    const struct sluice_protocol_ops *current = source->protocol;
    if (current != NULL &&
        (source->settings.protocol != SLUICE_PROTOCOL_AUTO || current->probe(parts)))
        return current;
    const struct sluice_protocol_ops *found = probe_all(parts);
    return found != NULL ? found : current;
}

/* A message that no protocol knows, with what a reader of the log needs to tell what it is. */
static enum sluice_status refuse_unknown(struct sluice_source *source,
                                         const struct sluice_parts *parts)
{
    char begin[3 * 8 + 1] = "";
    for (size_t i = 0; i < parts->part[0].bytes && i < 8; i++)
        snprintf(begin + 3 * i, 4, " %02x", parts->part[0].data[i]);
    return sluice_error_set(&source->decode_error, SLUICE_UNSUPPORTED,
                            "message of no known protocol: %u parts, the first of %zu bytes%s%s; "
                            "source.protocol lists the known ones",
                            parts->count, parts->part[0].bytes,
                            begin[0] != '\0' ? " beginning with" : "", begin);
}

static void decode_as(struct sluice_source *source, const struct sluice_protocol_ops *protocol,
                      const struct sluice_parts *parts, const struct sluice_text_buffer *text)
{
    struct sluice_message_head *head = &source->head;
    source->decode_status =
        protocol->decode(parts, head, &source->decoded->image, text, &source->decode_error);
    if (protocol == source->protocol || !source->tracker.open) {
        source->protocol = protocol;
        return;
    }
    if (source->decode_status == SLUICE_OK && head->kind == SLUICE_MESSAGE_START)
        return; /* deliver.c takes it up */
    *head = (struct sluice_message_head){0};
    sluice_error_clear(&source->decode_error);
    source->decode_status = sluice_error_set(&source->decode_error, SLUICE_MISMATCH,
                                             "a %s message while a series that came as %s is open",
                                             protocol->title, source->protocol->title);
}

/* A publisher may put the topic into a part of its own. */
void sluice_source_parts(struct sluice_source *source, struct sluice_parts *parts)
{
    const char *topic = source->settings.topic;
    const size_t bytes = topic != NULL ? strlen(topic) : 0;
    sluice_message_parts(&source->message, parts);
    if (bytes == 0 || topic[0] == '{' || parts->count < 2 || parts->part[0].bytes < bytes ||
        memcmp(parts->part[0].data, topic, bytes) != 0)
        return;
    parts->count--;
    memmove(&parts->part[0], &parts->part[1], parts->count * sizeof(parts->part[0]));
}

void sluice_source_decode(struct sluice_source *source)
{
    const uint32_t slot = sluice_slots_peek(&source->slots);
    struct sluice_text_buffer text = {source->scratch_text, source->slots.text_bytes};
    struct sluice_parts parts;
    source->decoded = &source->scratch;
    if (slot != SLUICE_SLOT_NONE) {
        source->decoded = &source->slots.frames[slot];
        text.data = source->slots.text + (size_t)slot * source->slots.text_bytes;
    }
    source->decoded->arrival_ns = sluice_now_ns(source->ports.clock);
    source->decoded->arrival_real_ns = source->ports.clock->real_ns(source->ports.clock);
    sluice_error_clear(&source->decode_error);
    source->head = (struct sluice_message_head){0};
    sluice_source_parts(source, &parts);
    source->decoded_as = choose(source, &parts);
    if (source->decoded_as == NULL)
        source->decode_status = refuse_unknown(source, &parts);
    else
        decode_as(source, source->decoded_as, &parts, &text);
}
