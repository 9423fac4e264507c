/* SPDX-License-Identifier: Apache-2.0
 *
 * Rate: a thread pushes numbers as fast as they are taken, another takes and checks them, and looks
 * at the clock now and then: what went through in the window after the warm-up. Time of one
 * hand-over: a thread pushes a number whose time it has noted, the other, which spins, notes when
 * it has it and answers through the ring back; a pause between, so that each begins with both rings
 * empty and warm. Both sides of every ring spin alike when they find it full or empty.
 *
 * The including file brings `struct ring` as ring_pair.inc.h wants it, TAKE_MAX, take(ring,
 * numbers), which takes up to so many, and RING and RING_NAME, the object that is defined here. */
#include "bench/kernels/handover.h"
#include "bench/kernels/ring_pair.inc.h"

#define PAUSE_NS      500
#define CLOCK_NUMBERS 1024 /* between two looks at the clock */

static int64_t clock_ns(void)
{
    return sluice_now_ns(sluice_clock_system());
}

/* On a processor from its first instruction. */
static bool start(pthread_t *thread, int core, void *(*run)(void *), void *context)
{
    pthread_attr_t attributes;
    cpu_set_t set;
    bool good = pthread_attr_init(&attributes) == 0;
    if (!good)
        return false;
    if (core >= 0) {
        CPU_ZERO(&set);
        CPU_SET((size_t)core, &set);
        good = pthread_attr_setaffinity_np(&attributes, sizeof(set), &set) == 0;
    }
    good = good && pthread_create(thread, &attributes, run, context) == 0;
    pthread_attr_destroy(&attributes);
    return good;
}

/* ---- rate ---- */

struct window {
    struct ring_pair *pair;
    int64_t warm_up_ns, window_ns;
    double million_per_s; /* with `wrong` the consumer's; read after the join */
    uint64_t wrong;
};

static void *take_in_window(void *context)
{
    struct window *window = context;
    struct ring_pair *pair = window->pair;
    int64_t begin_ns = clock_ns();
    uint32_t expected = 0, begin = 0;
    uint64_t wrong = 0;
    bool is_warm = false;
    for (;;) {
        for (uint32_t taken = 0; taken < CLOCK_NUMBERS;) {
            uint32_t numbers[TAKE_MAX];
            uint32_t count;
            while ((count = take(&pair->there, numbers)) == 0)
                spin();
            for (uint32_t i = 0; i < count; i++)
                wrong += numbers[i] != expected++;
            taken += count;
        }
        const int64_t now_ns = clock_ns();
        if (!is_warm && now_ns - begin_ns >= window->warm_up_ns) {
            is_warm = true;
            begin_ns = now_ns;
            begin = expected;
        } else if (is_warm && now_ns - begin_ns >= window->window_ns) {
            window->million_per_s = (expected - begin) / ((double)(now_ns - begin_ns) / 1e3);
            break;
        }
    }
    window->wrong = wrong;
    sluice_store_relaxed(&pair->stop, 1);
    return NULL;
}

static bool measure_rate(const struct sluice_handover_cores *cores, int64_t warm_up_ns,
                         int64_t window_ns, double *million_per_s)
{
    pthread_t producer, consumer;
    struct window window = {pair_create(), warm_up_ns, window_ns, 0, 1};
    if (window.pair == NULL)
        return false;
    if (start(&producer, cores->producer, push_until_stop, window.pair)) {
        if (start(&consumer, cores->consumer, take_in_window, &window))
            pthread_join(consumer, NULL);
        sluice_store_relaxed(&window.pair->stop, 1);
        pthread_join(producer, NULL);
    }
    pair_destroy(window.pair);
    *million_per_s = window.million_per_s;
    return window.wrong == 0;
}

/* ---- time of one ---- */

struct singles {
    struct ring_pair *pair;
    int64_t *pushed_ns, *taken_ns; /* by number; taken_ns is the consumer's until the join */
    uint32_t count;
    uint32_t wrong; /* the producer's, likewise */
};

static void *push_singles(void *context)
{
    struct singles *singles = context;
    struct ring_pair *pair = singles->pair;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < singles->count; i++) {
        uint32_t got;
        const int64_t begin_ns = singles->pushed_ns[i] = clock_ns();
        wrong += !ring_push(&pair->there, i);
        while (!ring_pop(&pair->back, &got))
            spin();
        wrong += got != i;
        while (clock_ns() - begin_ns < PAUSE_NS) {
        }
    }
    singles->wrong = wrong;
    return NULL;
}

/* Ends also when the producer could not be started. */
static void *take_singles(void *context)
{
    struct singles *singles = context;
    struct ring_pair *pair = singles->pair;
    for (uint32_t i = 0; i < singles->count; i++) {
        uint32_t numbers[TAKE_MAX];
        while (take(&pair->there, numbers) == 0) {
            if (sluice_load_relaxed(&pair->stop))
                return NULL;
            spin();
        }
        singles->taken_ns[i] = clock_ns();
        if (!ring_push(&pair->back, numbers[0]))
            return NULL; /* cannot be: one number at a time is on its way */
    }
    return NULL;
}

static bool measure_singles(const struct sluice_handover_cores *cores, uint32_t count, int64_t *ns)
{
    pthread_t producer, consumer;
    struct singles singles = {pair_create(), calloc(count, sizeof(int64_t)), ns, count, 1};
    if (singles.pair != NULL && singles.pushed_ns != NULL &&
        start(&consumer, cores->consumer, take_singles, &singles)) {
        if (start(&producer, cores->producer, push_singles, &singles))
            pthread_join(producer, NULL);
        sluice_store_relaxed(&singles.pair->stop, 1);
        pthread_join(consumer, NULL);
        for (uint32_t i = 0; i < count; i++)
            ns[i] -= singles.pushed_ns[i];
    }
    if (singles.pair != NULL)
        pair_destroy(singles.pair);
    free(singles.pushed_ns);
    return singles.wrong == 0;
}

const struct sluice_handover_ring RING = {RING_NAME, measure_rate, measure_singles};
