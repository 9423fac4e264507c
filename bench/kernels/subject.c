/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams are kept as the stock encoder makes them, whatever ours does by now. */
#include "bench/kernels/subject.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/data/stock.h"

#define MODEL       "eiger2-16m"
#define MODEL_QUICK "eiger2-1m"

static double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct sluice_stopwatch sluice_stopwatch_now(void)
{
    return (struct sluice_stopwatch){seconds(CLOCK_MONOTONIC), seconds(CLOCK_THREAD_CPUTIME_ID)};
}

struct sluice_stopwatch sluice_stopwatch_since(struct sluice_stopwatch begin)
{
    const struct sluice_stopwatch now = sluice_stopwatch_now();
    return (struct sluice_stopwatch){now.wall - begin.wall, now.cpu - begin.cpu};
}

enum sluice_status sluice_subject_open(struct sluice_subject *subject, enum sluice_dtype dtype,
                                       const struct sluice_kernel_settings *settings,
                                       struct sluice_error *error)
{
    static const char *const names[] = {
        [SLUICE_U8] = "u8", [SLUICE_U16] = "u16", [SLUICE_U32] = "u32"};
    *subject =
        (struct sluice_subject){.name = names[dtype], .element_bytes = sluice_dtype_bytes(dtype)};
    const struct sluice_model *model = sluice_model_find(settings->quick ? MODEL_QUICK : MODEL);
    enum sluice_status status = sluice_frames_load(&subject->frames, settings->counts, model, dtype,
                                                   SLUICE_SUBJECT_FRAMES, error);
    subject->capacity = sluice_stock_bound(subject->frames.frame_bytes, subject->element_bytes);
    for (uint32_t i = 0; status == SLUICE_OK && i < SLUICE_SUBJECT_FRAMES; i++) {
        uint8_t *out = malloc(subject->capacity);
        if (out == NULL) {
            status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for images");
            break;
        }
        const size_t bytes =
            sluice_stock_encode(sluice_frames_at(&subject->frames, i), subject->frames.frame_bytes,
                                subject->element_bytes, out);
        uint8_t *fitting = realloc(out, bytes);
        subject->stock[i] = (struct sluice_span){fitting != NULL ? fitting : out, bytes};
    }
    if (status != SLUICE_OK)
        sluice_subject_close(subject);
    return status;
}

void sluice_subject_close(struct sluice_subject *subject)
{
    for (uint32_t i = 0; i < SLUICE_SUBJECT_FRAMES; i++) {
        uint8_t *bytes;
        memcpy(&bytes, &subject->stock[i].data, sizeof(bytes)); /* ours: not const */
        free(bytes);
    }
    sluice_frames_close(&subject->frames);
    *subject = (struct sluice_subject){0};
}
