/* SPDX-License-Identifier: Apache-2.0
 *
 *   capture.images[k] --prepare--> template k --copied--> buffers [k][0] [k][1] ... in one arena
 *                                  (with slots where
 *                                   values change)
 *
 * Image id of the run uses template id % templates. Copies of a template are used in turn, so with
 * one receiver, which frees in order, the next one is the oldest. A buffer holds all parts of a
 * message. It is free (`busy` 0) or on its way with as many parts; only the sender sets busy, only
 * releases count it down [edge BUFFER]: whoever sees 0 also sees that libzmq has finished reading
 * every part, and may overwrite. */
#include "bench/detector/messages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/atomics.h"

#define COPIES_MIN 16
#define COPIES_MAX 1024
#define ALIGNMENT  64
#define HUGE_PAGE  ((size_t)2 << 20)

struct buffer {
    _Atomic uint32_t busy; /* parts that are still on their way */
    struct sluice_messages *owner;
    uint8_t *data;
};

/* What a heap message needs to be given back. */
struct loose {
    _Atomic uint32_t busy;
    struct sluice_messages *owner;
    struct sluice_multipart parts;
};

struct sluice_messages {
    struct sluice_messages_settings settings;
    const struct sluice_wire *wire;
    struct sluice_template *templates;
    struct buffer *buffers; /* copies of template k at k * copies */
    size_t *next;           /* for each template, the copy to use next */
    size_t template_count, copies;
    uint8_t *arena;
    size_t arena_bytes;
    uint64_t taken;
    _Atomic uint64_t released;
};

/* Appends copies of the parts; the self-description tag is left off where it is not wanted. */
static void copy_parts(const struct sluice_messages *messages,
                       const struct sluice_multipart *source, struct sluice_multipart *target)
{
    size_t untag = messages->settings.untagged && messages->wire == &sluice_wire_stream2
                       ? SLUICE_CBOR_SELF_DESCRIPTION_BYTES
                       : 0;
    for (uint32_t p = 0; p < source->count; p++) {
        struct sluice_span part = sluice_multipart_span(source, p);
        sluice_multipart_add(target, (struct sluice_span){part.data + untag, part.bytes - untag});
    }
}

static enum sluice_status prepare(struct sluice_messages *messages, size_t k)
{
    const struct sluice_capture *capture = messages->settings.capture;
    struct sluice_template *template = &messages->templates[k];
    copy_parts(messages, &capture->images[k], &template->parts);
    if (!sluice_multipart_failed(&template->parts))
        messages->wire->prepare(template, capture, k, messages->settings.rename);
    return sluice_multipart_failed(&template->parts) ? SLUICE_NO_MEMORY : SLUICE_OK;
}

static size_t padded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* What a buffer of this template takes. */
static size_t buffer_bytes(const struct sluice_template *template)
{
    size_t bytes = 0;
    for (uint32_t p = 0; p < template->parts.count; p++)
        bytes += padded(sluice_template_room(template, p));
    return bytes;
}

static void fill_buffer(struct buffer *buffer, const struct sluice_template *template)
{
    uint8_t *at = buffer->data;
    for (uint32_t p = 0; p < template->parts.count; p++) {
        if (template->parts.part[p].bytes)
            memcpy(at, template->parts.part[p].data, template->parts.part[p].bytes);
        at += padded(sluice_template_room(template, p));
    }
}

/* One block for all copies; huge pages where the system gives them, faulted in by the copying. */
static enum sluice_status fill_arena(struct sluice_messages *messages)
{
    size_t once = 0;
    for (size_t k = 0; k < messages->template_count; k++)
        once += buffer_bytes(&messages->templates[k]);
    size_t mean = once / messages->template_count;
    size_t wanted = messages->settings.bytes_max / (mean ? mean : 1);
    wanted = wanted < COPIES_MIN ? COPIES_MIN : wanted > COPIES_MAX ? COPIES_MAX : wanted;
    messages->copies = (wanted + messages->template_count - 1) / messages->template_count;
    messages->arena_bytes = once * messages->copies;
    messages->arena_bytes = (messages->arena_bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    void *arena = mmap(NULL, messages->arena_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED)
        return SLUICE_NO_MEMORY;
    messages->arena = arena;
    madvise(arena, messages->arena_bytes, MADV_HUGEPAGE); /* only a wish */
    messages->buffers = calloc(messages->template_count * messages->copies, sizeof(struct buffer));
    if (!messages->buffers)
        return SLUICE_NO_MEMORY;
    uint8_t *at = messages->arena;
    for (size_t c = 0; c < messages->copies; c++) {
        for (size_t k = 0; k < messages->template_count; k++) {
            struct buffer *buffer = &messages->buffers[k * messages->copies + c];
            buffer->owner = messages;
            buffer->data = at;
            fill_buffer(buffer, &messages->templates[k]);
            at += buffer_bytes(&messages->templates[k]);
        }
    }
    return SLUICE_OK;
}

enum sluice_status sluice_messages_create(struct sluice_messages **messages_out,
                                          const struct sluice_messages_settings *settings,
                                          struct sluice_error *error)
{
    struct sluice_messages *messages = calloc(1, sizeof *messages);
    enum sluice_status status = messages ? SLUICE_OK : SLUICE_NO_MEMORY;
    if (messages) {
        messages->settings = *settings;
        messages->wire = sluice_wire_of(settings->capture->protocol);
        messages->template_count = settings->capture->image_count;
        messages->templates = calloc(messages->template_count, sizeof *messages->templates);
        messages->next = calloc(messages->template_count, sizeof *messages->next);
        if (!messages->templates || !messages->next)
            status = SLUICE_NO_MEMORY;
    }
    for (size_t k = 0; status == SLUICE_OK && k < messages->template_count; k++)
        status = prepare(messages, k);
    if (status == SLUICE_OK)
        status = fill_arena(messages);
    if (status != SLUICE_OK) {
        sluice_messages_destroy(messages);
        return sluice_error_set(error, status, "no memory for the messages to send");
    }
    *messages_out = messages;
    return SLUICE_OK;
}

void sluice_messages_destroy(struct sluice_messages *messages)
{
    if (!messages)
        return;
    for (size_t k = 0; messages->templates && k < messages->template_count; k++)
        sluice_template_close(&messages->templates[k]);
    if (messages->arena)
        munmap(messages->arena, messages->arena_bytes);
    free(messages->templates);
    free(messages->buffers);
    free(messages->next);
    free(messages);
}

size_t sluice_messages_copies(const struct sluice_messages *messages)
{
    return messages->template_count * messages->copies;
}

uint64_t sluice_messages_in_flight(const struct sluice_messages *messages)
{
    return messages->taken - sluice_load_relaxed(&messages->released);
}

/* Stamps every part where it lies. */
static void stamp(const struct sluice_template *template, const struct sluice_identity *identity,
                  uint64_t id, struct buffer *buffer, struct sluice_message *message)
{
    uint8_t *at = buffer->data;
    *message = (struct sluice_message){.part_count = template->parts.count, .hint = buffer};
    for (uint32_t p = 0; p < template->parts.count; p++) {
        message->parts[p].data = at;
        message->parts[p].bytes = sluice_template_stamp(template, p, identity, id, at);
        at += padded(sluice_template_room(template, p));
    }
}

enum sluice_status sluice_messages_image(struct sluice_messages *messages,
                                         const struct sluice_identity *identity, uint64_t id,
                                         struct sluice_message *message)
{
    size_t k = (size_t)(id % messages->template_count);
    const struct sluice_template *template = &messages->templates[k];
    struct buffer *buffers = messages->buffers + k * messages->copies;
    for (size_t tried = 0; tried < messages->copies; tried++) {
        struct buffer *buffer = &buffers[messages->next[k]];
        messages->next[k] = messages->next[k] + 1 == messages->copies ? 0 : messages->next[k] + 1;
        if (sluice_load_acquire(&buffer->busy)) /* [edge BUFFER] */
            continue;
        sluice_store_relaxed(&buffer->busy, template->parts.count);
        stamp(template, identity, id, buffer, message);
        messages->taken++;
        return SLUICE_OK;
    }
    return SLUICE_AGAIN;
}

/* A loose message's hint has its lowest bit set, which no address of a struct has: that is how the
 * release tells the two apart. */
#define LOOSE_BIT ((uintptr_t)1)

/* Puts the parts into a message of their own; they are freed with it, or here when it fails. */
static enum sluice_status loosen(struct sluice_messages *messages, struct sluice_multipart *parts,
                                 struct sluice_message *message)
{
    struct loose *loose = sluice_multipart_failed(parts) ? NULL : malloc(sizeof *loose);
    if (!loose) {
        sluice_multipart_close(parts);
        return SLUICE_NO_MEMORY;
    }
    *loose = (struct loose){.busy = parts->count, .owner = messages, .parts = *parts};
    messages->taken++;
    *message = (struct sluice_message){.part_count = parts->count,
                                       .hint = (void *)((uintptr_t)loose | LOOSE_BIT)};
    for (uint32_t p = 0; p < parts->count; p++)
        message->parts[p] = (struct sluice_message_part){parts->part[p].data, parts->part[p].bytes};
    return SLUICE_OK;
}

/* A stamped copy of a part that may have grown. */
static void add_stamped(struct sluice_multipart *parts, const struct sluice_template *template,
                        uint32_t p, const struct sluice_identity *identity, uint64_t id)
{
    static const uint8_t room[SLUICE_SLOTS_MAX * 20];
    size_t bytes = template->parts.part[p].bytes;
    struct sluice_cbor *part =
        sluice_multipart_add(parts, sluice_multipart_span(&template->parts, p));
    sluice_cbor_raw(part, (struct sluice_span){room, sluice_template_room(template, p) - bytes});
    if (!part->failed)
        part->bytes = sluice_template_stamp(template, p, identity, id, part->data);
}

enum sluice_status sluice_messages_altered(struct sluice_messages *messages,
                                           const struct sluice_identity *identity, uint64_t id,
                                           const struct sluice_alteration *alteration,
                                           struct sluice_message *message)
{
    const struct sluice_template *template = &messages->templates[id % messages->template_count];
    struct sluice_multipart parts = {0};
    for (uint32_t p = 0; p < template->parts.count; p++)
        add_stamped(&parts, template, p, identity, id);
    if (!sluice_multipart_failed(&parts))
        messages->wire->alter(&parts, identity, alteration);
    return loosen(messages, &parts, message);
}

enum sluice_status sluice_messages_start(struct sluice_messages *messages,
                                         const struct sluice_identity *identity,
                                         const struct sluice_announcement *announcement,
                                         struct sluice_message *message)
{
    const struct sluice_multipart *source = &messages->settings.capture->start;
    struct sluice_multipart parts = {0};
    if (!source->count)
        return SLUICE_NOT_FOUND;
    copy_parts(messages, source, &parts);
    if (!sluice_multipart_failed(&parts))
        messages->wire->start(&parts, identity, announcement);
    return loosen(messages, &parts, message);
}

enum sluice_status sluice_messages_end(struct sluice_messages *messages,
                                       const struct sluice_identity *identity,
                                       struct sluice_message *message)
{
    const struct sluice_multipart *source = &messages->settings.capture->end;
    struct sluice_multipart parts = {0};
    if (!source->count)
        return SLUICE_NOT_FOUND;
    copy_parts(messages, source, &parts);
    if (!sluice_multipart_failed(&parts))
        messages->wire->end(&parts, identity);
    return loosen(messages, &parts, message);
}

void sluice_messages_release(void *data, void *hint)
{
    (void)data;
    struct sluice_messages *owner;
    if ((uintptr_t)hint & LOOSE_BIT) {
        struct loose *loose = (struct loose *)((uintptr_t)hint & ~LOOSE_BIT);
        if (sluice_add_acq_rel(&loose->busy, UINT32_MAX) != 1) /* [edge BUFFER] */
            return;
        owner = loose->owner;
        sluice_multipart_close(&loose->parts);
        free(loose);
    } else {
        struct buffer *buffer = hint;
        owner = buffer->owner;
        if (sluice_add_acq_rel(&buffer->busy, UINT32_MAX) != 1) /* [edge BUFFER] */
            return;
    }
    sluice_add_relaxed(&owner->released, 1);
}
