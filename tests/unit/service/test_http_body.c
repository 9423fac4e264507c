/* SPDX-License-Identifier: Apache-2.0
 *
 * The bodies of arm and stop: what is taken over, and that everything else is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/service/http_body.h"

static enum sluice_status parse(const char *body, struct sluice_arm *arm,
                                struct sluice_error *error)
{
    sluice_error_clear(error);
    return sluice_http_parse_arm(body, strlen(body), arm, error);
}

static void assert_refused(const char *body, const char *words)
{
    struct sluice_arm arm;
    struct sluice_error error = {0};
    if (parse(body, &arm, &error) == SLUICE_OK)
        fail_msg("taken: %s", body);
    if (strstr(error.message, words) == NULL)
        fail_msg("%s: %s", body, error.message);
}

static void every_member_is_taken_over(void **state)
{
    struct sluice_arm arm;
    struct sluice_error error = {0};
    (void)state;
    assert_int_equal(parse("{\"name\":\"n\",\"directory\":\"d/e\",\"images\":7,\"acquisition_id\":"
                           "\"id\",\"shape\":[3,4],\"dtype\":\"int32\",\"accept_drops\":true}",
                           &arm, &error),
                     SLUICE_OK);
    assert_string_equal(arm.name, "n");
    assert_string_equal(arm.directory, "d/e");
    assert_string_equal(arm.acquisition_id, "id");
    assert_int_equal(arm.images, 7);
    assert_int_equal(arm.height, 3);
    assert_int_equal(arm.width, 4);
    assert_true(arm.has_dtype);
    assert_int_equal(arm.dtype, SLUICE_I32);
    assert_true(arm.accept_drops);
}

static void the_words_of_other_programs_mean_the_same(void **state)
{
    struct sluice_arm arm;
    struct sluice_error error = {0};
    (void)state;
    assert_int_equal(
        parse("{\"file_prefix\":\"n\",\"file_path\":\"/d\",\"name\":\"n\"}", &arm, &error),
        SLUICE_OK);
    assert_string_equal(arm.name, "n");
    assert_string_equal(arm.directory, "/d");
    assert_refused("{\"file_prefix\":\"n\",\"name\":\"m\"}", "twice");
}

static void nothing_said_is_nothing_wanted(void **state)
{
    static const char *const empty[] = {"", "{}", "{\"name\":null,\"shape\":null,\"images\":0}"};
    (void)state;
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        struct sluice_arm arm;
        struct sluice_error error = {0};
        memset(&arm, 0x55, sizeof arm);
        assert_int_equal(parse(empty[i], &arm, &error), SLUICE_OK);
        assert_string_equal(arm.name, "");
        assert_int_equal(arm.images, 0);
        assert_int_equal(arm.width, 0);
        assert_false(arm.has_dtype);
        assert_false(arm.accept_drops);
    }
}

static void what_is_not_as_wanted_is_refused_by_name(void **state)
{
    char body[1200], text[1100];
    (void)state;
    assert_refused("{", "no JSON");
    assert_refused("[]", "object");
    assert_refused("{\"nane\":\"x\"}", "unknown member \"nane\"; there are name, file_prefix");
    assert_refused("{\"name\":1}", "name: a text");
    assert_refused("{\"name\":\"a\\nb\"}", "control");
    assert_refused("{\"name\":\"a\\u0000b\"}", "no JSON");
    assert_refused("{\"name\":\"a\",\"name\":\"a\"}", "no JSON");
    assert_refused("{\"images\":-1}", "images");
    assert_refused("{\"images\":1.0}", "images");
    assert_refused("{\"shape\":[1,2,3]}", "shape");
    assert_refused("{\"shape\":{\"0\":1}}", "shape");
    assert_refused("{\"shape\":[1,65536]}", "shape");
    assert_refused("{\"dtype\":\"uint12\"}", "dtype");
    assert_refused("{\"accept_drops\":\"yes\"}", "accept_drops");
    memset(text, 'x', sizeof text);
    text[SLUICE_ARM_NAME_BYTES] = '\0';
    snprintf(body, sizeof body, "{\"name\":\"%s\"}", text);
    assert_refused(body, "160 bytes are too many, 159 fit");
}

static void a_stop_has_a_bounded_time(void **state)
{
    static const char *const bad[] = {"{\"timeout_s\":-1}", "{\"timeout_s\":301}",
                                      "{\"timeout_s\":\"1\"}", "{\"timeout\":1}", "7"};
    struct sluice_error error = {0};
    double timeout_s = 0;
    (void)state;
    assert_int_equal(sluice_http_parse_stop("", 0, &timeout_s, &error), SLUICE_OK);
    assert_true(timeout_s == SLUICE_STOP_TIMEOUT_DEFAULT_S);
    assert_int_equal(sluice_http_parse_stop("{\"timeout_s\":0.5}", 17, &timeout_s, &error),
                     SLUICE_OK);
    assert_true(timeout_s == 0.5);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_not_equal(sluice_http_parse_stop(bad[i], strlen(bad[i]), &timeout_s, &error),
                             SLUICE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_taken_over),
        cmocka_unit_test(the_words_of_other_programs_mean_the_same),
        cmocka_unit_test(nothing_said_is_nothing_wanted),
        cmocka_unit_test(what_is_not_as_wanted_is_refused_by_name),
        cmocka_unit_test(a_stop_has_a_bounded_time),
    };
    return cmocka_run_group_tests_name("http: bodies", tests, NULL, NULL);
}
