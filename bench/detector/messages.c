/* SPDX-License-Identifier: Apache-2.0
 *
 *   capture.images[k] --prepare--> template k --copied--> buffers [k][0] [k][1] ... in one arena
 *                                  (numbers that change stand in fixed-width form; their offsets
 *                                   are remembered)
 *
 * Image id of the run uses template id % templates. Copies of a template are used in turn, so with
 * one receiver, which frees in order, the next one is the oldest. A buffer is free (`busy` 0) or on
 * its way; only the sender sets busy, only the release clears it [edge BUFFER]: whoever sees 0 also
 * sees that libzmq has finished reading, and may overwrite. */
#include "bench/detector/messages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/detector/spoil.h"
#include "core/atomics.h"

#define COPIES_MIN 16
#define COPIES_MAX 1024
#define ALIGNMENT  64
#define HUGE_PAGE  ((size_t)2 << 20)

/* Offsets of eight-byte integers and of the unique id's text; 0: there is none. */
struct template
{
    struct sluice_cbor bytes;
    size_t image_id, series_id, unique_id, start_time, stop_time;
    uint64_t start_ticks, stop_ticks; /* for image id 0 of the run */
};

struct buffer {
    _Atomic uint32_t busy;
    struct sluice_messages *owner;
    uint8_t *data;
};

/* What a heap message needs to be given back. */
struct loose {
    struct sluice_messages *owner;
    struct sluice_cbor bytes;
};

struct sluice_messages {
    struct sluice_messages_settings settings;
    struct template *templates;
    struct buffer *buffers; /* copies of template k at k * copies */
    size_t *next;           /* for each template, the copy to use next */
    size_t template_count, copies;
    uint8_t *arena;
    size_t arena_bytes;
    uint64_t taken;
    _Atomic uint64_t released;
};

static void store_u64(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof value);
}

static bool is_fixed_uint(const struct sluice_cbor *cbor, size_t at)
{
    return at + 9 <= cbor->bytes && cbor->data[at] == 0x1b;
}

/* Replaces the value of a top key; does nothing where there is no such key. */
static void replace(struct sluice_cbor *message, const char *key, struct sluice_cbor *value)
{
    struct sluice_cbor_range range;
    if (value->failed)
        message->failed = true;
    else if (sluice_cbor_find(sluice_cbor_span(message), key, &range))
        sluice_cbor_splice(message, range.begin, range.end - range.begin, sluice_cbor_span(value));
    sluice_cbor_close(value);
}

static void replace_uint(struct sluice_cbor *message, const char *key, uint64_t number, bool fixed)
{
    struct sluice_cbor value = {0};
    if (fixed)
        sluice_cbor_uint_fixed(&value, number);
    else
        sluice_cbor_head(&value, SLUICE_CBOR_UINT, number);
    replace(message, key, &value);
}

static void set_identity(struct sluice_cbor *message, const struct sluice_identity *identity,
                         bool fixed)
{
    struct sluice_cbor value = {0};
    replace_uint(message, "series_id", identity->series_id, fixed);
    sluice_cbor_text(&value, identity->unique_id);
    replace(message, "series_unique_id", &value);
}

/* Offset of a top key's eight-byte integer, `skip` bytes into the value. */
static size_t find_fixed(const struct sluice_cbor *message, const char *key, size_t skip)
{
    struct sluice_cbor_range range;
    if (!sluice_cbor_find(sluice_cbor_span(message), key, &range) ||
        !is_fixed_uint(message, range.begin + skip))
        return 0;
    return range.begin + skip + 1;
}

static uint64_t load_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

static enum sluice_status prepare(struct sluice_messages *messages, size_t k)
{
    const struct sluice_capture *capture = messages->settings.capture;
    struct template *template = &messages->templates[k];
    struct sluice_cbor *bytes = &template->bytes;
    size_t untag = messages->settings.untagged ? SLUICE_CBOR_SELF_DESCRIPTION_BYTES : 0;
    struct sluice_span source = sluice_cbor_span(&capture->images[k]);
    sluice_cbor_raw(bytes, (struct sluice_span){source.data + untag, source.bytes - untag});
    replace_uint(bytes, "image_id", 0, true);
    if (messages->settings.rename) {
        struct sluice_identity placeholder = {0};
        sluice_unique_id_make(0, 0, placeholder.unique_id);
        set_identity(bytes, &placeholder, true);
    }
    if (bytes->failed)
        return SLUICE_NO_MEMORY;
    template->image_id = find_fixed(bytes, "image_id", 0);
    struct sluice_span text;
    if (messages->settings.rename &&
        sluice_cbor_find_text(sluice_cbor_span(bytes), "series_unique_id", &text)) {
        template->series_id = find_fixed(bytes, "series_id", 0);
        template->unique_id = (size_t)(text.data - bytes->data);
    }
    if (capture->period_ticks) {
        template->start_time = find_fixed(bytes, "start_time", 1);
        template->stop_time = find_fixed(bytes, "stop_time", 1);
    }
    if (template->start_time && template->stop_time) {
        uint64_t shift = k * capture->period_ticks;
        template->start_ticks = load_u64(bytes->data + template->start_time) - shift;
        template->stop_ticks = load_u64(bytes->data + template->stop_time) - shift;
    }
    return SLUICE_OK;
}

static size_t padded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* One block for all copies; huge pages where the system gives them, faulted in by the copying. */
static enum sluice_status fill_arena(struct sluice_messages *messages)
{
    size_t once = 0;
    for (size_t k = 0; k < messages->template_count; k++)
        once += padded(messages->templates[k].bytes.bytes);
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
            const struct sluice_cbor *bytes = &messages->templates[k].bytes;
            struct buffer *buffer = &messages->buffers[k * messages->copies + c];
            buffer->owner = messages;
            buffer->data = at;
            memcpy(at, bytes->data, bytes->bytes);
            at += padded(bytes->bytes);
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
        sluice_cbor_close(&messages->templates[k].bytes);
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

static void patch(const struct sluice_messages *messages, const struct template *template,
                  const struct sluice_identity *identity, uint64_t id, uint8_t *data)
{
    uint64_t ticks = id * messages->settings.capture->period_ticks;
    store_u64(data + template->image_id, id);
    if (template->series_id)
        store_u64(data + template->series_id, identity->series_id);
    if (template->unique_id)
        memcpy(data + template->unique_id, identity->unique_id, SLUICE_MADE_ID_BYTES - 1);
    if (template->start_time && template->stop_time) {
        store_u64(data + template->start_time, template->start_ticks + ticks);
        store_u64(data + template->stop_time, template->stop_ticks + ticks);
    }
}

enum sluice_status sluice_messages_image(struct sluice_messages *messages,
                                         const struct sluice_identity *identity, uint64_t id,
                                         struct sluice_message *message)
{
    size_t k = (size_t)(id % messages->template_count);
    struct buffer *buffers = messages->buffers + k * messages->copies;
    for (size_t tried = 0; tried < messages->copies; tried++) {
        struct buffer *buffer = &buffers[messages->next[k]];
        messages->next[k] = messages->next[k] + 1 == messages->copies ? 0 : messages->next[k] + 1;
        if (sluice_load_acquire(&buffer->busy)) /* [edge BUFFER] */
            continue;
        sluice_store_relaxed(&buffer->busy, 1);
        patch(messages, &messages->templates[k], identity, id, buffer->data);
        messages->taken++;
        *message =
            (struct sluice_message){buffer->data, messages->templates[k].bytes.bytes, buffer};
        return SLUICE_OK;
    }
    return SLUICE_AGAIN;
}

/* A loose message's hint has its lowest bit set, which no address of a struct has: that is how the
 * release tells the two apart. */
#define LOOSE_BIT ((uintptr_t)1)

/* Puts the bytes into a message of their own; they are freed with it, or here when it fails. */
static enum sluice_status loosen(struct sluice_messages *messages, struct sluice_cbor *bytes,
                                 struct sluice_message *message)
{
    struct loose *loose = bytes->failed ? NULL : malloc(sizeof *loose);
    if (!loose) {
        sluice_cbor_close(bytes);
        return SLUICE_NO_MEMORY;
    }
    *loose = (struct loose){messages, *bytes};
    messages->taken++;
    *message =
        (struct sluice_message){bytes->data, bytes->bytes, (void *)((uintptr_t)loose | LOOSE_BIT)};
    return SLUICE_OK;
}

enum sluice_status sluice_messages_spoiled(struct sluice_messages *messages,
                                           const struct sluice_identity *identity, uint64_t id,
                                           enum sluice_fault_kind fault, uint64_t chance,
                                           struct sluice_message *message)
{
    const struct template *template = &messages->templates[id % messages->template_count];
    struct sluice_cbor bytes = {0};
    sluice_cbor_raw(&bytes, sluice_cbor_span(&template->bytes));
    if (!bytes.failed)
        patch(messages, template, identity, id, bytes.data);
    set_identity(&bytes, identity, false);
    if (!bytes.failed)
        sluice_spoil(&bytes, fault, chance);
    return loosen(messages, &bytes, message);
}

/* A start or end message of the capture under another identity. */
static struct sluice_cbor rename_copy(const struct sluice_messages *messages,
                                      const struct sluice_cbor *source,
                                      const struct sluice_identity *identity)
{
    struct sluice_cbor bytes = {0};
    size_t untag = messages->settings.untagged ? SLUICE_CBOR_SELF_DESCRIPTION_BYTES : 0;
    sluice_cbor_raw(&bytes, (struct sluice_span){source->data + untag, source->bytes - untag});
    set_identity(&bytes, identity, false);
    return bytes;
}

enum sluice_status sluice_messages_start(struct sluice_messages *messages,
                                         const struct sluice_identity *identity,
                                         uint64_t number_of_images, struct sluice_message *message)
{
    const struct sluice_cbor *source = &messages->settings.capture->start;
    if (!source->data)
        return SLUICE_NOT_FOUND;
    struct sluice_cbor bytes = rename_copy(messages, source, identity);
    replace_uint(&bytes, "number_of_images", number_of_images, false);
    return loosen(messages, &bytes, message);
}

enum sluice_status sluice_messages_end(struct sluice_messages *messages,
                                       const struct sluice_identity *identity,
                                       struct sluice_message *message)
{
    const struct sluice_cbor *source = &messages->settings.capture->end;
    if (!source->data)
        return SLUICE_NOT_FOUND;
    struct sluice_cbor bytes = rename_copy(messages, source, identity);
    return loosen(messages, &bytes, message);
}

void sluice_messages_release(void *data, void *hint)
{
    (void)data;
    struct sluice_messages *owner;
    if ((uintptr_t)hint & LOOSE_BIT) {
        struct loose *loose = (struct loose *)((uintptr_t)hint & ~LOOSE_BIT);
        owner = loose->owner;
        sluice_cbor_close(&loose->bytes);
        free(loose);
    } else {
        struct buffer *buffer = hint;
        owner = buffer->owner;
        sluice_store_release(&buffer->busy, 0); /* [edge BUFFER] */
    }
    sluice_add_relaxed(&owner->released, 1);
}
