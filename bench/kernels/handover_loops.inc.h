/* SPDX-License-Identifier: Apache-2.0
 *
 * Rate: a thread pushes numbers as fast as they are taken, this one takes and checks `numbers` of
 * them. Time of one hand-over: this thread pushes a number whose time it has noted, the other,
 * which spins, notes when it has it and answers through the ring back; a pause between, so that
 * each begins with both rings empty and warm. The including file has a `struct ring` and defines
 * MEASURE, the name of the function. */
#include "bench/kernels/handover.h"
#include "bench/kernels/ring_pair.inc.h"

#define PAUSE_NS 500

static int compare_ns(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t clock_ns(void)
{
    return sluice_now_ns(sluice_clock_system());
}

static bool measure_rate(uint32_t numbers, double *million_per_s)
{
    pthread_t other;
    uint32_t wrong = 0;
    struct ring_pair *pair = pair_create();
    if (pair == NULL || pthread_create(&other, NULL, push_until_stop, pair) != 0) {
        if (pair != NULL)
            pair_destroy(pair);
        return false;
    }
    int64_t begin_ns = 0;
    const uint32_t warm_up = numbers / 10;
    for (uint32_t i = 0; i < warm_up + numbers; i++) {
        uint32_t got;
        if (i == warm_up)
            begin_ns = clock_ns();
        while (!ring_pop(&pair->there, &got))
            spin();
        wrong += got != i;
    }
    *million_per_s = numbers / ((double)(clock_ns() - begin_ns) / 1e3);
    sluice_store_relaxed(&pair->stop, 1);
    pthread_join(other, NULL);
    pair_destroy(pair);
    return wrong == 0;
}

struct singles {
    struct ring_pair *pair;
    int64_t *taken_ns; /* by number; read after the join */
    uint32_t count;
};

static void *take_singles(void *context)
{
    struct singles *singles = context;
    for (uint32_t i = 0; i < singles->count; i++) {
        uint32_t number;
        while (!ring_pop(&singles->pair->there, &number))
            spin();
        singles->taken_ns[number % singles->count] = clock_ns();
        if (!ring_push(&singles->pair->back, number))
            return NULL; /* cannot be: one number at a time is on its way */
    }
    return NULL;
}

static bool measure_singles(uint32_t count, double *quantiles)
{
    static const double shares[SLUICE_HANDOVER_QUANTILES] = {0.5, 0.99, 0.999};
    pthread_t other;
    int64_t *pushed_ns = calloc(count, sizeof(*pushed_ns));
    struct singles singles = {pair_create(), calloc(count, sizeof(*singles.taken_ns)), count};
    uint32_t wrong = 1;
    if (singles.pair != NULL && singles.taken_ns != NULL && pushed_ns != NULL &&
        pthread_create(&other, NULL, take_singles, &singles) == 0) {
        wrong = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t got;
            pushed_ns[i] = clock_ns();
            wrong += !ring_push(&singles.pair->there, i);
            while (!ring_pop(&singles.pair->back, &got))
                spin();
            wrong += got != i;
            while (clock_ns() - pushed_ns[i] < PAUSE_NS) {
            }
        }
        pthread_join(other, NULL);
        for (uint32_t i = 0; i < count; i++)
            singles.taken_ns[i] -= pushed_ns[i];
        qsort(singles.taken_ns, count, sizeof(*singles.taken_ns), compare_ns);
        for (int q = 0; q < SLUICE_HANDOVER_QUANTILES; q++)
            quantiles[q] = (double)singles.taken_ns[(uint32_t)(shares[q] * (count - 1))];
    }
    if (singles.pair != NULL)
        pair_destroy(singles.pair);
    free(singles.taken_ns);
    free(pushed_ns);
    return wrong == 0;
}

bool MEASURE(uint32_t numbers, uint32_t singles, struct sluice_handover *result)
{
    return measure_rate(numbers, &result->million_per_s) && measure_singles(singles, result->ns);
}
