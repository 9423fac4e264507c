/* SPDX-License-Identifier: Apache-2.0
 *
 * Two passes. The order of images comes first: ascending, reversed or shuffled in windows, then the
 * late ones moved behind. Then one walk over that order writes the steps, looking up in a bit set
 * for each id which faults it has. Chance comes from hashes of (seed, fault, series, id), so a
 * fault hits the same ids whatever else is asked for. */
#include "bench/detector/plan.h"

#include <stdlib.h>

#include "bench/detector/random.h"

struct builder {
    struct sluice_plan *plan;
    const struct sluice_plan_settings *settings;
    uint64_t *order; /* ids in sending order */
    uint32_t *marks; /* for each id: bit 1 << kind */
    uint64_t sent;   /* image messages of this series so far */
    bool failed;     /* out of memory */
};

/* Kinds that spoil a message, and kinds that keep it from being sent; the first that hits wins. */
static const enum sluice_fault_kind spoilers[] = {SLUICE_FAULT_RANDOM, SLUICE_FAULT_TRUNCATED,
                                                  SLUICE_FAULT_CORRUPT, SLUICE_FAULT_WRONGSIZE,
                                                  SLUICE_FAULT_WRONGTYPE};

static void add(struct builder *builder, struct sluice_step step)
{
    struct sluice_plan *plan = builder->plan;
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity ? plan->capacity * 2 : 1024;
        struct sluice_step *steps = realloc(plan->steps, capacity * sizeof *steps);
        if (!steps) {
            builder->failed = true;
            return;
        }
        plan->steps = steps;
        plan->capacity = capacity;
    }
    plan->steps[plan->count++] = step;
}

static uint64_t chance(const struct builder *builder, enum sluice_fault_kind kind, uint64_t id)
{
    const struct sluice_plan_settings *settings = builder->settings;
    return sluice_random_hash(settings->seed, (uint64_t)kind + 1000, settings->series_index, id);
}

static const struct sluice_fault *get(const struct builder *builder, enum sluice_fault_kind kind)
{
    return sluice_faults_get(builder->settings->faults, kind);
}

/* Chance alone decides, from the seed, which ids a share hits. */
static bool is_hit(const struct builder *builder, const struct sluice_fault *fault, uint64_t id)
{
    double u = (double)(chance(builder, fault->kind, id) >> 11) * 0x1.0p-53;
    return u < fault->share;
}

static void mark(struct builder *builder)
{
    const struct sluice_plan_settings *settings = builder->settings;
    for (size_t i = 0; i < settings->faults->count; i++) {
        const struct sluice_fault *fault = &settings->faults->items[i];
        enum sluice_fault_form form = sluice_fault_info(fault->kind)->form;
        uint32_t bit = UINT32_C(1) << fault->kind;
        uint64_t first = fault->first, last = fault->last;
        bool by_chance = fault->share > 0;
        if (form == SLUICE_FAULT_PARITY || by_chance) {
            first = 0;
            last = settings->image_count - 1;
        } else if (form != SLUICE_FAULT_IDS && form != SLUICE_FAULT_PAIRS) {
            continue;
        }
        for (uint64_t id = first; id <= last; id++) {
            bool hit = by_chance                     ? is_hit(builder, fault, id)
                       : form == SLUICE_FAULT_PARITY ? id % 2 == fault->argument
                                                     : true;
            builder->marks[id] |= hit ? bit : 0;
        }
    }
}

/* The number that a PAIRS fault gives an id. */
static uint64_t argument_of(const struct builder *builder, enum sluice_fault_kind kind, uint64_t id)
{
    const struct sluice_faults *faults = builder->settings->faults;
    for (size_t i = 0; i < faults->count; i++) {
        const struct sluice_fault *fault = &faults->items[i];
        bool hit =
            fault->share > 0 ? is_hit(builder, fault, id) : id >= fault->first && id <= fault->last;
        if (fault->kind == kind && hit)
            return fault->argument;
    }
    return 0;
}

struct place {
    uint64_t key, id;
};

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* An image at place p keeps the key 2p; a late one gets 2(p + by) + 1: behind the one at p + by. */
static void move_late(struct builder *builder)
{
    uint64_t count = builder->settings->image_count;
    struct place *places = malloc(count * sizeof *places);
    if (!places) {
        builder->failed = true;
        return;
    }
    for (uint64_t p = 0; p < count; p++) {
        uint64_t id = builder->order[p];
        bool late = builder->marks[id] & UINT32_C(1) << SLUICE_FAULT_LATE;
        uint64_t by = late ? argument_of(builder, SLUICE_FAULT_LATE, id) : 0;
        by = by < count ? by : count;
        places[p] = (struct place){late ? 2 * (p + by) + 1 : 2 * p, id};
    }
    qsort(places, count, sizeof *places, by_key);
    for (uint64_t p = 0; p < count; p++)
        builder->order[p] = places[p].id;
    free(places);
}

static void put_in_order(struct builder *builder)
{
    uint64_t count = builder->settings->image_count;
    const struct sluice_fault *reorder = get(builder, SLUICE_FAULT_REORDER);
    bool reversed = get(builder, SLUICE_FAULT_REVERSED) != NULL;
    for (uint64_t p = 0; p < count; p++)
        builder->order[p] = reversed ? count - 1 - p : p;
    if (reorder && reorder->argument > 1) {
        struct sluice_random random;
        sluice_random_seed(&random, chance(builder, SLUICE_FAULT_REORDER, 0));
        for (uint64_t begin = 0; begin < count; begin += reorder->argument) {
            uint64_t left = count - begin;
            uint64_t size = left < reorder->argument ? left : reorder->argument;
            for (uint64_t i = size - 1; i > 0; i--) {
                uint64_t other = begin + sluice_random_below(&random, i + 1);
                uint64_t id = builder->order[begin + i];
                builder->order[begin + i] = builder->order[other];
                builder->order[other] = id;
            }
        }
    }
    if (get(builder, SLUICE_FAULT_LATE))
        move_late(builder);
}

/* From the K-th place on every image has the other shape or type, good or not. */
static uint8_t forms_at(const struct builder *builder, uint64_t place)
{
    const struct sluice_fault *reshape = get(builder, SLUICE_FAULT_RESHAPE);
    const struct sluice_fault *retype = get(builder, SLUICE_FAULT_RETYPE);
    uint8_t flags = reshape && place >= reshape->argument ? SLUICE_STEP_RESHAPED : 0;
    return retype && place >= retype->argument ? flags | SLUICE_STEP_RETYPED : flags;
}

static void add_image(struct builder *builder, uint64_t id, uint8_t forms)
{
    uint32_t marks = builder->marks[id];
    enum sluice_fault_kind lost = SLUICE_STEP_NO_FAULT, spoiler = SLUICE_STEP_NO_FAULT;
    if (marks & UINT32_C(1) << SLUICE_FAULT_SECOND_CLIENT)
        lost = SLUICE_FAULT_SECOND_CLIENT;
    if (marks & UINT32_C(1) << SLUICE_FAULT_LOST)
        lost = SLUICE_FAULT_LOST;
    for (size_t i = 0; i < sizeof spoilers / sizeof spoilers[0]; i++)
        if (spoiler == SLUICE_STEP_NO_FAULT && marks & UINT32_C(1) << spoilers[i])
            spoiler = spoilers[i];
    if (marks & UINT32_C(1) << SLUICE_FAULT_STALL)
        add(builder, (struct sluice_step){
                         .id = id,
                         .kind = SLUICE_STEP_STALL,
                         .fault = SLUICE_FAULT_STALL,
                         .argument = (uint32_t)argument_of(builder, SLUICE_FAULT_STALL, id)});
    if (marks & UINT32_C(1) << SLUICE_FAULT_FOREIGN)
        add(builder, (struct sluice_step){
                         .id = id, .kind = SLUICE_STEP_FOREIGN, .fault = SLUICE_FAULT_FOREIGN});
    if (lost != SLUICE_STEP_NO_FAULT) {
        add(builder, (struct sluice_step){.id = id,
                                          .kind = SLUICE_STEP_SKIP,
                                          .fault = (uint8_t)lost,
                                          .flags = SLUICE_STEP_SLOT});
        return;
    }
    uint8_t flags = SLUICE_STEP_SLOT | forms;
    if (spoiler == SLUICE_STEP_NO_FAULT)
        flags |= SLUICE_STEP_DISTINCT;
    if (marks & UINT32_C(1) << SLUICE_FAULT_LATE)
        flags |= SLUICE_STEP_LATE;
    add(builder,
        (struct sluice_step){
            .id = id, .kind = SLUICE_STEP_IMAGE, .fault = (uint8_t)spoiler, .flags = flags});
    builder->sent++;
    if (marks & UINT32_C(1) << SLUICE_FAULT_DOUBLED) {
        /* the second copy is always good: after a spoiled first it is the one that counts */
        flags = forms | (spoiler == SLUICE_STEP_NO_FAULT ? 0 : SLUICE_STEP_DISTINCT);
        add(builder, (struct sluice_step){.id = id,
                                          .kind = SLUICE_STEP_IMAGE,
                                          .fault = SLUICE_FAULT_DOUBLED,
                                          .flags = flags});
        builder->sent++;
    }
}

static void add_early(struct builder *builder)
{
    const struct sluice_fault *early = get(builder, SLUICE_FAULT_EARLY);
    uint64_t count = builder->settings->image_count;
    for (uint64_t i = 0; early && i < early->argument; i++)
        add(builder,
            (struct sluice_step){.id = (count > early->argument ? count - early->argument : 0) + i,
                                 .kind = SLUICE_STEP_EARLY,
                                 .fault = SLUICE_FAULT_EARLY});
}

static void add_steps(struct builder *builder)
{
    const struct sluice_step start = {.kind = SLUICE_STEP_START, .fault = SLUICE_STEP_NO_FAULT};
    const struct sluice_fault *late = get(builder, SLUICE_FAULT_START_LATE);
    bool start_left = !get(builder, SLUICE_FAULT_NOSTART);
    const struct sluice_fault *restart = get(builder, SLUICE_FAULT_RESTART);
    bool restart_left = restart != NULL;
    bool cut = builder->settings->series_index == 0 && get(builder, SLUICE_FAULT_NEWSTART);
    const struct sluice_fault *aborted = get(builder, SLUICE_FAULT_ABORT);
    add_early(builder);
    if (start_left && !late) {
        add(builder, start);
        start_left = false;
    }
    for (uint64_t p = 0; p < builder->settings->image_count; p++) {
        if (cut && builder->sent >= get(builder, SLUICE_FAULT_NEWSTART)->argument)
            return;
        if (aborted && builder->sent >= aborted->argument)
            return;
        if (start_left && builder->sent >= late->argument) {
            add(builder,
                (struct sluice_step){.kind = SLUICE_STEP_START, .fault = SLUICE_FAULT_START_LATE});
            start_left = false;
        }
        if (restart_left && builder->sent >= restart->argument) {
            add(builder,
                (struct sluice_step){.kind = SLUICE_STEP_START, .fault = SLUICE_FAULT_RESTART});
            restart_left = false;
        }
        add_image(builder, builder->order[p], forms_at(builder, p));
    }
    if (cut || aborted)
        return;
    if (start_left)
        add(builder,
            (struct sluice_step){.kind = SLUICE_STEP_START, .fault = SLUICE_FAULT_START_LATE});
    if (restart_left)
        add(builder,
            (struct sluice_step){.kind = SLUICE_STEP_START, .fault = SLUICE_FAULT_RESTART});
    if (!get(builder, SLUICE_FAULT_NOEND))
        add(builder, (struct sluice_step){.kind = SLUICE_STEP_END, .fault = SLUICE_STEP_NO_FAULT});
}

enum sluice_status sluice_plan_make(struct sluice_plan *plan,
                                    const struct sluice_plan_settings *settings,
                                    struct sluice_error *error)
{
    *plan = (struct sluice_plan){0};
    struct builder builder = {.plan = plan, .settings = settings};
    builder.order = malloc(settings->image_count * sizeof *builder.order);
    builder.marks = calloc(settings->image_count, sizeof *builder.marks);
    builder.failed = !builder.order || !builder.marks;
    enum sluice_status status =
        sluice_faults_check(settings->faults, settings->image_count, settings->protocol, error);
    if (!builder.failed && status == SLUICE_OK) {
        mark(&builder);
        put_in_order(&builder);
        add_steps(&builder);
    }
    free(builder.order);
    free(builder.marks);
    if (builder.failed)
        status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to plan %llu images",
                                  (unsigned long long)settings->image_count);
    if (status != SLUICE_OK)
        sluice_plan_close(plan);
    return status;
}

void sluice_plan_close(struct sluice_plan *plan)
{
    free(plan->steps);
    *plan = (struct sluice_plan){0};
}
