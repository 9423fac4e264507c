/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts, lists and maps as values, on the command line too; and the checks between keys. */
#include "support.h"

#include <sys/stat.h>
#include <unistd.h>

#include "config/text.h"
#include "tests/support/skip.h"

static void texts_are_taken_as_they_are_on_the_command_line(void **state)
{
    struct sluice_config c;
    (void)state;
    init(&c);
    set(&c, "writer.name=a: b # [c] {d} = e");
    assert_string_equal(c.writer.name, "a: b # [c] {d} = e");
    set(&c, "writer.name=[x]");
    assert_string_equal(c.writer.name, "[x]");
    set(&c, "writer.name=\"quo\\\"ted\"");
    assert_string_equal(c.writer.name, "quo\"ted");
    set(&c, "writer.group=staff");
    set(&c, "writer.group=");
    assert_string_equal(c.writer.group, "");
    set(&c, "metadata.sample_name=null");
    assert_string_equal(c.writer.metadata.sample_name, "null");
    refuse_set("writer.name=a\nb", "control characters");
    refuse_set("writer.name=\xff", "UTF-8");
    refuse_set("writer.name=\"open", "writer.name: line 1");
    sluice_config_close(&c);
}

static void lists_of_directories_come_in_three_forms(void **state)
{
    struct sluice_config c;
    (void)state;
    init(&c);
    set(&c, "writer.directory=/one");
    assert_int_equal(c.writer.directory_count, 1);
    set(&c, "writer.directory=/a,/b c,/d");
    assert_int_equal(c.writer.directory_count, 3);
    assert_string_equal(c.writer.directories[1], "/b c");
    set(&c, "writer.directory=[\"/x,y\", /z]");
    assert_int_equal(c.writer.directory_count, 2);
    assert_string_equal(c.writer.directories[0], "/x,y");
    set(&c, "writer.directory=\"/x,y\"");
    assert_int_equal(c.writer.directory_count, 1);
    refuse_set("writer.directory=", "writer.directory");
    refuse_set("writer.directory=[]", "at least one");
    refuse_set("writer.directory=/a,,/b", "writer.directory");
    refuse_set("writer.directory=/a,/b,/a", "stands there twice");
    refuse_set("writer.directory=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16");
    set(&c, "writer.directory=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
    assert_int_equal(c.writer.directory_count, 16);
    sluice_config_close(&c);
}

static void a_refused_value_leaves_the_old_one(void **state)
{
    struct sluice_config c;
    struct sluice_error error = {0};
    (void)state;
    init(&c);
    set(&c, "writer.directory=/a,/b");
    set(&c, "metadata.axes={omega: [1, 0, 0]}");
    assert_int_equal(sluice_config_set(&c, "writer.directory=/c,/c", &error), SLUICE_CONFIG);
    assert_int_equal(sluice_config_set(&c, "metadata.axes={phi: [0, 0, 1], x: 1}", NULL),
                     SLUICE_CONFIG);
    assert_int_equal(c.writer.directory_count, 2);
    assert_string_equal(c.writer.directories[0], "/a");
    assert_int_equal(c.writer.metadata.axis_count, 1);
    assert_string_equal(c.writer.metadata.axes[0].name, "omega");
    sluice_config_close(&c);
}

static void axes_are_directions(void **state)
{
    static const char *const wrong[] = {
        "omega: [1, 0]",        "omega: [1, 0, 0, 0]", "omega: 1",
        "omega: [0, 0, 0]",     "omega: [1, 0, nan]",  "omega: [1, 0, x]",
        "omega: [1, 0, 1e999]", "omega: {x: 1}",       "omega: [1, 0, [1]]",
        "omega: [\"1\", 0, 0]", "a/b: [1, 0, 0]",      "omega:"};
    struct sluice_config c;
    char text[128];
    (void)state;
    init(&c);
    load(&c, "metadata:\n  axes:\n    omega: [-1, 0, 0]\n    chi: [0, -.5, 2e-1]\n");
    assert_int_equal(c.writer.metadata.axis_count, 2);
    assert_string_equal(c.writer.metadata.axes[1].name, "chi");
    assert_true(c.writer.metadata.axes[0].vector[0] == -1);
    assert_true(c.writer.metadata.axes[1].vector[1] == -.5);
    assert_true(c.writer.metadata.axes[1].vector[2] == .2);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, "metadata.axes={%s}", wrong[i]);
        refuse_set(text, "metadata.axes");
    }
    set(&c, "metadata.axes={}");
    assert_int_equal(c.writer.metadata.axis_count, 0);
    sluice_config_close(&c);
}

static void endpoints_have_a_transport(void **state)
{
    static const char *const right[] = {"tcp://h:1", "tcp://*:1", "tcp://[::1]:5", "ipc:///tmp/x",
                                        "ipc://@abstract"};
    static const char *const wrong[] = {"h:1",      "tcp://",     "tcp://h",       "tcp://:1",
                                        "tcp://h:", "udp://h",    "ipc://",        "http://h:1",
                                        "tcp:/h:1", "inproc://x", "tcp://h:99999", "tcp://h:http"};
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_true(sluice_text_is_endpoint(right[i]));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[64];
        snprintf(text, sizeof text, "source.endpoint=%s", wrong[i]);
        refuse_set(text, "ZeroMQ endpoint");
    }
}

static void only_what_yaml_gives_back_is_a_printable_text(void **state)
{
    static const char *const right[] = {"",
                                        "a",
                                        " ~",
                                        "\xc2\xa0",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbd",
                                        "\xf0\x9f\x98\x80",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const wrong[] = {
        "\x01",         "\t",           "\x7f",         "\xc2\x80",         "\xc2\x85",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xed\xa0\x80", "\xef\xbb\xbf",     "\xef\xbf\xbe",
        "\x80",         "\xc0\x80",     "\xc3",         "\xe2\x82",         "\xf0\x80\x80\x80",
        "\xe0\x80\xaf", "\xf8\x88\x80", "\xff",         "\xf4\x90\x80\x80", "\xc3(",
    };
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_true(sluice_text_is_printable(right[i]));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (sluice_text_is_printable(wrong[i])) {
            fail_msg("text %zu", i);
        }
    }
}

static void instance_names_are_safe_in_paths(void **state)
{
    static const char *const wrong[] = {"", ".", "..", ".hidden", "a/b", "a b", "\xc3\xa4", "a$"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[64];
        snprintf(text, sizeof text, "instance.name=%s", wrong[i]);
        refuse_set(text, "instance.name");
    }
}

static void the_endpoint_has_to_be_set_for_ingest(void **state)
{
    struct sluice_config c;
    struct sluice_error error = {0};
    (void)state;
    init(&c);
    assert_int_equal(sluice_config_require(&c, SLUICE_KEY_source_endpoint, &error), SLUICE_CONFIG);
    assert_non_null(strstr(error.message, "--set source.endpoint=tcp://HOST:31001"));
    set(&c, "source.endpoint=tcp://h:31001");
    assert_int_equal(sluice_config_require(&c, SLUICE_KEY_source_endpoint, NULL), SLUICE_OK);
    set(&c, "source.endpoint=off");
    assert_int_equal(sluice_config_require(&c, SLUICE_KEY_source_endpoint, NULL), SLUICE_CONFIG);
    sluice_config_close(&c);
}

static void keys_are_held_against_each_other(void **state)
{
    static const struct {
        const char *first, *second, *message;
    } wrong[] = {
        {"writer.images_per_file=1000", "writer.images_per_file_max=999", "is larger than"},
        {"source.endpoint=tcp://*:1", "source.mode=connect", "can only be bound"},
        {"source.endpoint=tcp://h:1", "notify.endpoint=tcp://h:1", "are the same"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sluice_config c;
        struct sluice_error error = {0};
        init(&c);
        set(&c, wrong[i].first);
        set(&c, wrong[i].second);
        assert_int_equal(sluice_config_finish(&c, &error), SLUICE_CONFIG);
        if (!strstr(error.message, wrong[i].message)) {
            fail_msg("%s", error.message);
        }
        sluice_config_close(&c);
    }
}

static void rooms_that_share_a_setting_get_the_same(void **state)
{
    struct sluice_config c;
    struct sluice_error error = {0};
    (void)state;
    init(&c);
    set(&c, "source.id_jump_max=77");
    set(&c, "writer.user_data_bytes_max=99");
    assert_int_equal(sluice_config_finish(&c, &error), SLUICE_OK);
    assert_int_equal(c.writer.id_jump_max, 77);
    assert_int_equal(c.source.user_data_bytes_max, 99);
    sluice_config_close(&c);
}

static void the_state_directory_follows_the_user(void **state)
{
    char own[64], long_path[1000];
    struct sluice_config c;
    (void)state;
    snprintf(own, sizeof own, "/tmp/sluice-%u", (unsigned)geteuid());
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    init(&c);
    assert_int_equal(sluice_config_finish(&c, NULL), SLUICE_OK);
    assert_string_equal(c.state_directory, "/run/user/7/sluice");
    sluice_config_close(&c);

    unsetenv("XDG_RUNTIME_DIR");
    init(&c);
    assert_int_equal(sluice_config_finish(&c, NULL), SLUICE_OK);
    assert_string_equal(c.state_directory, geteuid() == 0 ? "/run/sluice" : own);
    sluice_config_close(&c);

    init(&c);
    set(&c, "instance.state_directory=/var/x");
    assert_int_equal(sluice_config_finish(&c, NULL), SLUICE_OK);
    assert_string_equal(c.state_directory, "/var/x");
    sluice_config_close(&c);

    memset(long_path, '/', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    setenv("XDG_RUNTIME_DIR", long_path, 1);
    init(&c);
    assert_int_equal(sluice_config_finish(&c, NULL), SLUICE_CONFIG);
    sluice_config_close(&c);
}

static void a_state_directory_of_somebody_else_is_not_used(void **state)
{
    static const char path[] = "/tmp/sluice-54321";
    struct sluice_config c;
    struct sluice_error error = {0};
    (void)state;
    unsetenv("XDG_RUNTIME_DIR");
    if (geteuid() != 0) /* only root can be two users */
        skip_visibly();
    assert_int_equal(mkdir(path, 0755), 0);
    const bool changed = seteuid(54321) == 0;
    init(&c);
    const enum sluice_status status = sluice_config_finish(&c, &error);
    sluice_config_close(&c);
    const bool back = seteuid(0) == 0;
    rmdir(path);
    assert_true(changed && back);
    assert_int_equal(status, SLUICE_CONFIG);
    assert_non_null(strstr(error.message, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_taken_as_they_are_on_the_command_line),
        cmocka_unit_test(lists_of_directories_come_in_three_forms),
        cmocka_unit_test(a_refused_value_leaves_the_old_one),
        cmocka_unit_test(axes_are_directions),
        cmocka_unit_test(endpoints_have_a_transport),
        cmocka_unit_test(only_what_yaml_gives_back_is_a_printable_text),
        cmocka_unit_test(instance_names_are_safe_in_paths),
        cmocka_unit_test(the_endpoint_has_to_be_set_for_ingest),
        cmocka_unit_test(keys_are_held_against_each_other),
        cmocka_unit_test(rooms_that_share_a_setting_get_the_same),
        cmocka_unit_test(the_state_directory_follows_the_user),
        cmocka_unit_test(a_state_directory_of_somebody_else_is_not_used),
    };
    return exit_status(cmocka_run_group_tests(tests, NULL, NULL));
}
