/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of a series, written as a line of letters: S start, E end, digits image ids, with a mark
 * before an id for what is done to it (- not sent, f foreign, e early, ! spoiled, = second copy,
 * h of another shape, t of another type).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/detector/plan.h"

static enum sluice_wire_protocol protocol = SLUICE_WIRE_STREAM2;

static struct sluice_plan make_series(const char *const *faults_asked, uint64_t images,
                                      uint64_t seed, uint32_t series_index)
{
    struct sluice_faults faults = {0};
    struct sluice_error error = {0};
    struct sluice_plan plan;
    for (; *faults_asked; faults_asked++) {
        if (sluice_faults_add(&faults, *faults_asked, &error) != SLUICE_OK)
            fail_msg("%s", error.message);
    }
    struct sluice_plan_settings settings = {.faults = &faults,
                                            .protocol = protocol,
                                            .image_count = images,
                                            .seed = seed,
                                            .series_index = series_index};
    if (sluice_plan_make(&plan, &settings, &error) != SLUICE_OK)
        fail_msg("%s", error.message);
    sluice_faults_close(&faults);
    return plan;
}

static void append_step(char *text, const struct sluice_step *step)
{
    static const char *const marks[] = {
        [SLUICE_STEP_START] = "S", [SLUICE_STEP_IMAGE] = "", [SLUICE_STEP_FOREIGN] = "f",
        [SLUICE_STEP_EARLY] = "e", [SLUICE_STEP_END] = "E",  [SLUICE_STEP_SKIP] = "-",
        [SLUICE_STEP_STALL] = "~"};
    const char *mark = marks[step->kind];
    if (step->kind == SLUICE_STEP_IMAGE && step->fault == SLUICE_FAULT_DOUBLED)
        mark = "=";
    else if (step->kind == SLUICE_STEP_IMAGE && step->fault != SLUICE_STEP_NO_FAULT)
        mark = "!";
    text += strlen(text);
    if (step->flags & (SLUICE_STEP_RESHAPED | SLUICE_STEP_RETYPED))
        text += sprintf(text, "%s%s", step->flags & SLUICE_STEP_RESHAPED ? "h" : "",
                        step->flags & SLUICE_STEP_RETYPED ? "t" : "");
    if (step->kind == SLUICE_STEP_START || step->kind == SLUICE_STEP_END)
        sprintf(text, "%s ", mark);
    else
        sprintf(text, "%s%llu ", mark, (unsigned long long)step->id);
}

static void expect_series(uint32_t series_index, const char *const *faults, const char *expected)
{
    struct sluice_plan plan = make_series(faults, 6, 1, series_index);
    char text[4096] = "";
    for (size_t i = 0; i < plan.count; i++)
        append_step(text, &plan.steps[i]);
    assert_true(strlen(text) > 0);
    text[strlen(text) - 1] = '\0';
    assert_string_equal(text, expected);
    sluice_plan_close(&plan);
}

#define expect(expected, ...) expect_series(0, (const char *const[]){__VA_ARGS__, NULL}, expected)

static void without_faults_a_series_is_start_images_end(void **state)
{
    (void)state;
    expect_series(0, (const char *const[]){NULL}, "S 0 1 2 3 4 5 E");
}

static void images_are_lost_doubled_late_and_reordered_as_asked(void **state)
{
    (void)state;
    expect("S -0 1 -2 -3 4 5 E", "lost=0,2-3");
    expect("S 0 1 =1 2 3 4 5 =5 E", "doubled=1,5");
    expect("S 0 2 3 1 4 5 E", "late=1:2");
    expect("S 2 0 3 1 4 5 E", "late=0-1:2");
    expect("S 0 1 2 3 5 4 E", "late=4:100");
    expect("S 5 4 3 2 1 0 E", "reversed");
    expect("S -0 1 -2 3 -4 5 E", "second-client=even");
    expect("S 0 -1 2 -3 4 -5 E", "second-client=odd");
}

static void starts_and_ends_go_wrong_as_asked(void **state)
{
    (void)state;
    expect("S 0 1 2 3 4 5", "noend");
    expect("0 1 2 3 4 5 E", "nostart");
    expect("0 1 S 2 3 4 5 E", "start-late=2");
    expect("0 1 2 3 4 5 S E", "start-late=60");
    expect("S 0 1 2 S 3 4 5 E", "restart=3");
    expect("e4 e5 S 0 1 2 3 4 5 E", "early=2");
    expect("S 0 1 2", "newstart=3");
    expect("S 0 1 2", "abort=3");
    expect("S", "abort=0");
    expect("S 0 1 2 3 4 5", "abort=6");
    expect_series(1, (const char *const[]){"newstart=3", NULL}, "S 0 1 2 3 4 5 E");
}

static void images_are_spoiled_and_mixed_with_others_as_asked(void **state)
{
    (void)state;
    expect("S 0 !1 2 3 4 5 E", "corrupt=1");
    expect("S 0 !1 2 !3 !4 !5 E", "truncated=1", "wrongsize=3", "random=4-5");
    expect("S 0 !1 2 3 4 5 E", "wrongtype=1");
    expect("S 0 f1 1 2 3 4 5 E", "foreign=1");
    expect("S 0 1 ~2 2 3 4 5 E", "stall=2:100");
    expect("S 0 !1 =1 2 3 4 5 E", "corrupt=1", "doubled=1");
}

static void frames_change_their_form_from_an_image_on(void **state)
{
    (void)state;
    protocol = SLUICE_WIRE_ARRAY;
    expect("S 0 1 2 h3 h4 h5 E", "reshape=3");
    expect("S 0 1 t2 ht3 ht4 ht5 E", "retype=2", "reshape=3");
    expect("S 0 1 -2 h3 h!4 h=4 h5 E", "reshape=3", "lost=2", "corrupt=4", "doubled=4");
    protocol = SLUICE_WIRE_STREAM2;
}

static void late_images_and_stalls_come_as_shares_too(void **state)
{
    (void)state;
    struct sluice_plan plan =
        make_series((const char *const[]){"late=2%:5", "stall=0.5%:7", NULL}, 10000, 11, 0);
    size_t late = 0, stalls = 0, behind = 0;
    for (size_t i = 0; i < plan.count; i++) {
        bool is_late = plan.steps[i].flags & SLUICE_STEP_LATE;
        late += is_late;
        behind += is_late && plan.steps[i - 1].id > plan.steps[i].id;
        if (plan.steps[i].kind != SLUICE_STEP_STALL)
            continue;
        stalls++;
        assert_int_equal(plan.steps[i].argument, 7);
    }
    assert_in_range(late, 150, 250);
    assert_in_range(stalls, 25, 80);
    assert_true(behind > late * 9 / 10);
    sluice_plan_close(&plan);
}

static void what_a_protocol_does_not_know_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        enum sluice_wire_protocol protocol;
        bool fits;
    } cases[] = {
        {"foreign=1", SLUICE_WIRE_ARRAY, false},   {"nostart", SLUICE_WIRE_ARRAY, false},
        {"number=7", SLUICE_WIRE_ARRAY, false},    {"newstart=1", SLUICE_WIRE_ARRAY, false},
        {"reshape=1", SLUICE_WIRE_STREAM1, false}, {"retype=1", SLUICE_WIRE_STREAM2, false},
        {"foreign=1", SLUICE_WIRE_STREAM1, true},  {"lost=1", SLUICE_WIRE_ARRAY, true},
        {"abort=1", SLUICE_WIRE_ARRAY, true},      {"reshape=1", SLUICE_WIRE_ARRAY, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sluice_faults faults = {0};
        struct sluice_error error = {0};
        assert_int_equal(sluice_faults_add(&faults, cases[i].fault, &error), SLUICE_OK);
        enum sluice_status status = sluice_faults_check(&faults, 6, cases[i].protocol, &error);
        assert_int_equal(status, cases[i].fits ? SLUICE_OK : SLUICE_USAGE);
        assert_true(cases[i].fits || strstr(error.message, "array-1.0"));
        sluice_faults_close(&faults);
    }
}

static void distinct_counts_each_good_id_once(void **state)
{
    (void)state;
    struct sluice_plan plan = make_series(
        (const char *const[]){"corrupt=1,2", "doubled=1,3", "lost=4", "foreign=0", NULL}, 6, 1, 0);
    unsigned distinct[6] = {0};
    for (size_t i = 0; i < plan.count; i++) {
        if (plan.steps[i].flags & SLUICE_STEP_DISTINCT)
            distinct[plan.steps[i].id]++;
    }
    static const unsigned expected[6] = {1, 1, 0, 1, 0, 1};
    assert_memory_equal(distinct, expected, sizeof expected);
    sluice_plan_close(&plan);
}

static void reordering_keeps_to_its_windows_and_loses_nothing(void **state)
{
    (void)state;
    struct sluice_plan plan = make_series((const char *const[]){"reorder=10", NULL}, 95, 3, 0);
    bool seen[95] = {false};
    size_t moved = 0;
    assert_int_equal(plan.count, 97);
    for (size_t p = 0; p < 95; p++) {
        uint64_t id = plan.steps[p + 1].id;
        assert_true(id < 95 && !seen[id] && id / 10 == p / 10);
        seen[id] = true;
        moved += id != p;
    }
    assert_true(moved > 50);
    sluice_plan_close(&plan);
}

static void shares_depend_on_the_seed_alone(void **state)
{
    (void)state;
    const char *const faults[] = {"lost=5%", NULL};
    struct sluice_plan a = make_series(faults, 10000, 11, 0), b = make_series(faults, 10000, 11, 0),
                       c = make_series(faults, 10000, 12, 0);
    size_t lost = 0, differ = 0;
    for (size_t i = 0; i < a.count; i++) {
        lost += a.steps[i].kind == SLUICE_STEP_SKIP;
        assert_int_equal(a.steps[i].kind, b.steps[i].kind);
        differ += a.steps[i].kind != c.steps[i].kind;
    }
    assert_in_range(lost, 400, 600);
    assert_true(differ > 500);
    sluice_plan_close(&a);
    sluice_plan_close(&b);
    sluice_plan_close(&c);
}

static void nonsense_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const nonsense[] = {"lost",
                                           "lost=",
                                           "lost=a",
                                           "lost=5-3",
                                           "lost=1,",
                                           "lost=1:2",
                                           "lost=0%",
                                           "lost=101%",
                                           "lost=0.0%",
                                           "lost=1.2.3%",
                                           "late=5%",
                                           "reorder=5%",
                                           "late=3",
                                           "late=3:x",
                                           "reversed=1",
                                           "early",
                                           "early=-1",
                                           "early=1x",
                                           "second-client",
                                           "noend=yes",
                                           "explode",
                                           "",
                                           "second-client=both",
                                           "lost=99999999999999999999999"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        struct sluice_faults faults = {0};
        struct sluice_error error = {0};
        if (sluice_faults_add(&faults, nonsense[i], &error) != SLUICE_USAGE)
            fail_msg("\"%s\" was accepted", nonsense[i]);
        assert_true(strlen(error.message) > 0);
        sluice_faults_close(&faults);
    }
    struct sluice_faults faults = {0};
    struct sluice_plan plan;
    assert_int_equal(sluice_faults_add(&faults, "lost=6", NULL), SLUICE_OK);
    struct sluice_plan_settings settings = {.faults = &faults, .image_count = 6, .seed = 1};
    assert_int_equal(sluice_plan_make(&plan, &settings, NULL), SLUICE_USAGE);
    sluice_faults_close(&faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_a_series_is_start_images_end),
        cmocka_unit_test(images_are_lost_doubled_late_and_reordered_as_asked),
        cmocka_unit_test(starts_and_ends_go_wrong_as_asked),
        cmocka_unit_test(images_are_spoiled_and_mixed_with_others_as_asked),
        cmocka_unit_test(frames_change_their_form_from_an_image_on),
        cmocka_unit_test(late_images_and_stalls_come_as_shares_too),
        cmocka_unit_test(what_a_protocol_does_not_know_is_refused),
        cmocka_unit_test(distinct_counts_each_good_id_once),
        cmocka_unit_test(reordering_keeps_to_its_windows_and_loses_nothing),
        cmocka_unit_test(shares_depend_on_the_seed_alone),
        cmocka_unit_test(nonsense_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
