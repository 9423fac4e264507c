/* SPDX-License-Identifier: Apache-2.0
 *
 * The counters file between processes: made, read, refused while its owner lives, taken over when
 * the owner was killed. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/counters_layout.h"

static char directory[64], path[128];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/sluice-counters-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/c", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory); /* fails when anything was left beside the file */
}

static struct sluice_counters *create(void)
{
    struct sluice_counters *counters = NULL;
    struct sluice_error error = {0};

    if (sluice_counters_create(path, &counters, &error) != SLUICE_OK)
        fail_msg("%s", error.message);
    return counters;
}

static struct sluice_counters *attach(void)
{
    struct sluice_counters *counters = NULL;
    struct sluice_error error = {0};

    if (sluice_counters_attach(path, &counters, &error) != SLUICE_OK)
        fail_msg("%s", error.message);
    return counters;
}

static void every_counter_has_a_lower_case_name(void **state)
{
    (void)state;
    assert_string_equal(sluice_counter_info(SLUICE_COUNTER_SOURCE_IMAGES)->name, "source_images");
    assert_string_equal(sluice_counter_info(SLUICE_COUNTER_SOURCE_BYTES)->unit, "bytes");
    assert_false(sluice_counter_info(SLUICE_COUNTER_SOURCE_BYTES)->is_gauge);
    assert_true(sluice_counter_info(SLUICE_COUNTER_WRITER_QUEUE)->is_gauge);
    for (int i = 0; i < SLUICE_COUNTER_COUNT; i++) {
        const struct sluice_counter_info *info = sluice_counter_info((enum sluice_counter)i);

        assert_int_equal(strspn(info->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                         strlen(info->name));
        assert_true(strlen(info->unit) > 0 && strlen(info->owner) > 0 && strlen(info->help) > 0);
    }
}

static void counters_in_memory_count(void **state)
{
    struct sluice_counters *counters = NULL;

    (void)state;
    assert_int_equal(sluice_counters_create(NULL, &counters, NULL), SLUICE_OK);
    sluice_counter_add(counters, SLUICE_COUNTER_SOURCE_IMAGES, 3);
    sluice_counter_add(counters, SLUICE_COUNTER_SOURCE_IMAGES, 4);
    sluice_counter_set(counters, SLUICE_COUNTER_WRITER_QUEUE, 9);
    sluice_counter_set(counters, SLUICE_COUNTER_WRITER_QUEUE, 2);
    sluice_counter_max(counters, SLUICE_COUNTER_WRITER_FLUSH_MAX, 50);
    sluice_counter_max(counters, SLUICE_COUNTER_WRITER_FLUSH_MAX, 40);
    assert_int_equal(sluice_counter_get(counters, SLUICE_COUNTER_SOURCE_IMAGES), 7);
    assert_int_equal(sluice_counter_get(counters, SLUICE_COUNTER_WRITER_QUEUE), 2);
    assert_int_equal(sluice_counter_get(counters, SLUICE_COUNTER_WRITER_FLUSH_MAX), 50);
    assert_int_equal(sluice_counter_get(counters, SLUICE_COUNTER_SOURCE_BYTES), 0);
    assert_int_equal(sluice_counters_pid(counters), getpid());
    sluice_counters_destroy(counters);
}

static void null_counters_do_nothing(void **state)
{
    struct sluice_distinct_error entry;

    (void)state;
    sluice_counter_add(NULL, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    sluice_counter_set(NULL, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    sluice_counter_max(NULL, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    assert_int_equal(sluice_counter_get(NULL, SLUICE_COUNTER_SOURCE_IMAGES), 0);
    sluice_counters_error(NULL, 1, "x");
    assert_false(sluice_counters_error_get(NULL, 0, &entry));
    sluice_counters_destroy(NULL);
}

static void another_process_reads_what_the_owner_counts(void **state)
{
    struct sluice_counters *owner = create(), *reader = attach();
    struct stat file;

    (void)state;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0644);
    sluice_counter_add(owner, SLUICE_COUNTER_WRITER_NOTICES_LEFT_OUT, 11);
    assert_int_equal(sluice_counter_get(reader, SLUICE_COUNTER_WRITER_NOTICES_LEFT_OUT), 11);
    assert_int_equal(sluice_counters_pid(reader), getpid());
    assert_true(sluice_counters_start_real_ns(reader) > INT64_C(1700000000000000000));
    sluice_counter_add(reader, SLUICE_COUNTER_SOURCE_IMAGES, 1); /* a reader cannot count */
    sluice_counters_error(reader, 1, "nor tell errors");
    assert_int_equal(sluice_counter_get(owner, SLUICE_COUNTER_SOURCE_IMAGES), 0);
    sluice_counters_destroy(owner);
    assert_int_equal(sluice_counter_get(reader, SLUICE_COUNTER_WRITER_NOTICES_LEFT_OUT), 11);
    sluice_counters_destroy(reader);
}

static void a_second_owner_is_refused_while_the_first_lives(void **state)
{
    struct sluice_counters *owner = create(), *second = NULL;
    struct sluice_error error = {0};
    char pid[32];

    (void)state;
    assert_int_equal(sluice_counters_create(path, &second, &error), SLUICE_EXISTS);
    assert_null(second);
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_non_null(strstr(error.message, pid));
    assert_non_null(strstr(error.message, path));
    sluice_counter_add(owner, SLUICE_COUNTER_SOURCE_IMAGES, 1); /* untouched by the attempt */
    assert_int_equal(sluice_counter_get(owner, SLUICE_COUNTER_SOURCE_IMAGES), 1);
    sluice_counters_destroy(owner);
    second = create();
    assert_int_equal(sluice_counter_get(second, SLUICE_COUNTER_SOURCE_IMAGES), 0);
    sluice_counters_destroy(second);
}

static void the_file_of_a_killed_owner_is_taken_over(void **state)
{
    int ready[2];
    char byte;
    pid_t child;
    struct sluice_counters *reader, *owner;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sluice_counters *counters = NULL;

        if (sluice_counters_create(path, &counters, NULL) != SLUICE_OK)
            _exit(1);
        sluice_counter_add(counters, SLUICE_COUNTER_SOURCE_IMAGES, 5);
        sluice_counters_error(counters, 77, "it went wrong");
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    reader = attach();
    assert_int_equal(sluice_counters_create(path, &owner, NULL), SLUICE_EXISTS);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    sluice_counters_destroy(reader);
    reader = attach(); /* after the death the numbers can still be read */
    assert_int_equal(sluice_counter_get(reader, SLUICE_COUNTER_SOURCE_IMAGES), 5);
    assert_int_equal(sluice_counters_pid(reader), child);

    owner = create();
    assert_int_equal(sluice_counter_get(owner, SLUICE_COUNTER_SOURCE_IMAGES), 0);
    sluice_counter_add(owner, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    /* who looked at the dead one still does */
    assert_int_equal(sluice_counter_get(reader, SLUICE_COUNTER_SOURCE_IMAGES), 5);
    sluice_counters_destroy(reader);
    sluice_counters_destroy(owner);
}

static void a_reader_of_the_bytes_finds_a_counter_by_name(void **state)
{
    struct sluice_counters *owner = create();
    FILE *file = fopen(path, "rb");
    static uint8_t bytes[1 << 20];
    struct sluice_counters_header header;
    bool found = false;
    size_t size;

    (void)state;
    sluice_counter_set(owner, SLUICE_COUNTER_WRITER_QUEUE, 1234567);
    assert_non_null(file);
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(size > sizeof header);
    memcpy(&header, bytes, sizeof header);
    assert_memory_equal(header.magic, "SLUICECT", 8);
    for (uint32_t i = 0; i < header.counter_count; i++) {
        const uint8_t *row = bytes + header.table_offset + (size_t)i * header.table_stride;
        uint64_t value;
        uint32_t kind;

        memcpy(&value, bytes + header.values_offset + (size_t)i * header.values_stride, 8);
        memcpy(&kind, row + 192, 4);
        if (strcmp((const char *)row, "writer_queue") == 0) {
            assert_string_equal(row + 40, "frames");
            assert_string_equal(row + 56, "writer");
            assert_int_equal(kind, 1);
            assert_int_equal(value, 1234567);
            found = true;
        }
    }
    assert_true(found);
    sluice_counters_destroy(owner);
}

static void equal_errors_are_one_entry(void **state)
{
    struct sluice_counters *counters = create(), *reader = attach();
    struct sluice_distinct_error entry;

    (void)state;
    assert_false(sluice_counters_error_get(reader, 0, &entry));
    sluice_counters_error(counters, 100, "first");
    sluice_counters_error(counters, 200, "second");
    sluice_counters_error(counters, 300, "first");
    assert_true(sluice_counters_error_get(reader, 0, &entry));
    assert_string_equal(entry.text, "first");
    assert_int_equal(entry.count, 2);
    assert_int_equal(entry.first_real_ns, 100);
    assert_int_equal(entry.last_real_ns, 300);
    assert_true(sluice_counters_error_get(reader, 1, &entry));
    assert_string_equal(entry.text, "second");
    assert_false(sluice_counters_error_get(reader, 2, &entry));
    sluice_counters_destroy(reader);
    sluice_counters_destroy(counters);
}

static void long_errors_are_cut_and_still_equal(void **state)
{
    struct sluice_counters *counters = NULL;
    struct sluice_distinct_error entry;
    char text[600];

    (void)state;
    memset(text, 'e', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(sluice_counters_create(NULL, &counters, NULL), SLUICE_OK);
    sluice_counters_error(counters, 1, text);
    sluice_counters_error(counters, 2, text);
    assert_true(sluice_counters_error_get(counters, 0, &entry));
    assert_int_equal(entry.count, 2);
    assert_int_equal(strlen(entry.text), sizeof entry.text - 1);
    assert_false(sluice_counters_error_get(counters, 1, &entry));
    sluice_counters_destroy(counters);
}

static void the_65th_distinct_error_is_only_counted(void **state)
{
    struct sluice_counters *counters = NULL;
    struct sluice_distinct_error entry;

    (void)state;
    assert_int_equal(sluice_counters_create(NULL, &counters, NULL), SLUICE_OK);
    for (int i = 0; i < SLUICE_DISTINCT_ERRORS_MAX + 6; i++) {
        char text[32];

        snprintf(text, sizeof text, "error %d", i);
        sluice_counters_error(counters, i, text);
    }
    sluice_counters_error(counters, 1000, "error 63");
    assert_true(sluice_counters_error_get(counters, SLUICE_DISTINCT_ERRORS_MAX - 1, &entry));
    assert_string_equal(entry.text, "error 63");
    assert_int_equal(entry.count, 2);
    assert_true(sluice_counters_error_get(counters, SLUICE_DISTINCT_ERRORS_MAX, &entry));
    assert_string_equal(entry.text, "other errors");
    assert_int_equal(entry.count, 6);
    assert_int_equal(entry.first_real_ns, 64);
    assert_int_equal(entry.last_real_ns, 69);
    assert_false(sluice_counters_error_get(counters, SLUICE_DISTINCT_ERRORS_MAX + 1, &entry));
    sluice_counters_destroy(counters);
}

static void *tell_errors(void *argument)
{
    for (int i = 0; i < 2000; i++) {
        char text[32];

        snprintf(text, sizeof text, "error %d", i % 10);
        sluice_counters_error(argument, i, text);
    }
    return NULL;
}

static void errors_of_several_threads_are_all_counted(void **state)
{
    struct sluice_counters *counters = NULL;
    struct sluice_distinct_error entry;
    pthread_t threads[4];
    uint64_t sum = 0;
    uint32_t entries = 0;

    (void)state;
    assert_int_equal(sluice_counters_create(NULL, &counters, NULL), SLUICE_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, tell_errors, counters), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    while (sluice_counters_error_get(counters, entries, &entry)) {
        sum += entry.count;
        entries++;
    }
    assert_int_equal(entries, 10);
    assert_int_equal(sum, 8000);
    sluice_counters_destroy(counters);
}

static void write_file(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void what_is_not_a_counters_file_is_refused(void **state)
{
    static const char text[4096] = "not a counters file";
    struct sluice_counters *counters;
    struct sluice_error error = {0};

    (void)state;
    assert_int_equal(sluice_counters_attach(path, &counters, &error), SLUICE_NOT_FOUND);
    assert_null(counters);
    write_file(text, 10);
    assert_int_equal(sluice_counters_attach(path, &counters, NULL), SLUICE_TRUNCATED);
    write_file(text, sizeof text);
    assert_int_equal(sluice_counters_attach(path, &counters, NULL), SLUICE_MALFORMED);
    assert_null(counters);
    assert_int_equal(sluice_counters_attach(directory, &counters, NULL), SLUICE_TRUNCATED);
    assert_int_equal(sluice_counters_create("/nonexistent/x", &counters, &error), SLUICE_IO);
    assert_null(counters);
}

static void a_header_that_points_outside_is_refused(void **state)
{
    static const size_t fields[] = {
        offsetof(struct sluice_counters_header, counter_count),
        offsetof(struct sluice_counters_header, table_offset),
        offsetof(struct sluice_counters_header, table_stride),
        offsetof(struct sluice_counters_header, values_offset),
        offsetof(struct sluice_counters_header, values_stride),
        offsetof(struct sluice_counters_header, errors_offset),
        offsetof(struct sluice_counters_header, errors_stride),
        offsetof(struct sluice_counters_header, errors_max),
        offsetof(struct sluice_counters_header, version),
        offsetof(struct sluice_counters_header, magic),
    };
    struct sluice_counters *owner = create(), *reader = NULL;
    static uint8_t bytes[sizeof(struct sluice_counters_image)];
    FILE *file = fopen(path, "rb");

    (void)state;
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof bytes);
    fclose(file);
    sluice_counters_destroy(owner);
    unlink(path);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint8_t good[4];

        memcpy(good, bytes + fields[i], 4);
        memset(bytes + fields[i], 0xf8, 4);
        write_file(bytes, sizeof bytes);
        assert_int_equal(sluice_counters_attach(path, &reader, NULL), SLUICE_MALFORMED);
        memcpy(bytes + fields[i], good, 4);
    }
    write_file(bytes, sizeof bytes - 1); /* cut short */
    assert_int_equal(sluice_counters_attach(path, &reader, NULL), SLUICE_MALFORMED);
    write_file(bytes, sizeof bytes);
    assert_int_equal(sluice_counters_attach(path, &reader, NULL), SLUICE_OK);
    sluice_counters_destroy(reader);
}

int main(void)
{
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_has_a_lower_case_name),
        cmocka_unit_test(counters_in_memory_count),
        cmocka_unit_test(null_counters_do_nothing),
        IN_DIRECTORY(another_process_reads_what_the_owner_counts),
        IN_DIRECTORY(a_second_owner_is_refused_while_the_first_lives),
        IN_DIRECTORY(the_file_of_a_killed_owner_is_taken_over),
        IN_DIRECTORY(a_reader_of_the_bytes_finds_a_counter_by_name),
        IN_DIRECTORY(equal_errors_are_one_entry),
        cmocka_unit_test(long_errors_are_cut_and_still_equal),
        cmocka_unit_test(the_65th_distinct_error_is_only_counted),
        cmocka_unit_test(errors_of_several_threads_are_all_counted),
        IN_DIRECTORY(what_is_not_a_counters_file_is_refused),
        IN_DIRECTORY(a_header_that_points_outside_is_refused),
    };

    return cmocka_run_group_tests_name("core: counters", tests, NULL, NULL);
}
