/* SPDX-License-Identifier: Apache-2.0
 *
 * Stores into a mapped file: what is read back by others, and what a file system that takes no page
 * does to them (here the file is made shorter, which gives the same signal). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "writer/driver/map.h"

#define PAGE 4096

static const uint8_t data[64] = "0123456789abcdefSUM!";

/* A file without a name. */
static int make_file(size_t bytes)
{
    char path[] = "/tmp/sluice-map-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && unlink(path) == 0 && ftruncate(fd, (off_t)bytes) == 0);
    return fd;
}

static int open_map(struct sluice_map *map, size_t bytes)
{
    int fd = make_file(bytes);
    sluice_map_open(map, fd, 0, bytes);
    if (map->memory == NULL) {
        close(fd);
        skip(); /* not ext4, XFS or tmpfs */
    }
    return fd;
}

static void a_map_holds_a_part_of_the_file(void **state)
{
    (void)state;
    struct sluice_map map;
    uint8_t seen[30];
    int fd = open_map(&map, 3 * PAGE);
    sluice_map_close(&map);
    assert_false(sluice_map_holds(&map, 0, 1));
    sluice_map_open(&map, fd, PAGE + 100, PAGE);
    assert_true(sluice_map_holds(&map, PAGE + 100, PAGE));
    assert_true(sluice_map_holds(&map, 2 * PAGE + 99, 1));
    assert_false(sluice_map_holds(&map, 2 * PAGE + 99, 2));
    assert_false(sluice_map_holds(&map, PAGE + 99, 1));
    assert_false(sluice_map_holds(&map, 2 * PAGE + 100, 0));
    assert_false(sluice_map_holds(&map, 0, 1));
    assert_false(sluice_map_holds(&map, UINT64_MAX, 1));
    assert_true(sluice_map_store(&map, 2 * PAGE - 10, data, 20));
    assert_int_equal(pread(fd, seen, 30, 2 * PAGE - 15), 30);
    assert_memory_equal(seen, "\0\0\0\0\0", 5);
    assert_memory_equal(seen + 5, data, 20);
    assert_memory_equal(seen + 25, "\0\0\0\0\0", 5);
    sluice_map_close(&map);
    sluice_map_open(&map, fd, 2 * PAGE + 1, PAGE); /* more than the file has */
    assert_null(map.memory);
    close(fd);
}

static void a_network_or_unknown_file_system_is_not_mapped(void **state)
{
    (void)state;
    struct sluice_map map = {.bytes = 1};
    int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    sluice_map_open(&map, fd, 0, 1);
    assert_null(map.memory);
    assert_int_equal(map.bytes, 0);
    close(fd);
}

static void what_is_stored_is_what_others_read(void **state)
{
    (void)state;
    struct sluice_map map;
    uint8_t seen[20];
    int fd = open_map(&map, 2 * PAGE);
    const uint64_t at[] = {0, 100, PAGE - 18, PAGE - 10, PAGE - 2, 2 * PAGE - 20};
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        assert_true(sluice_map_store(&map, at[i], data + 3, 8));
        assert_int_equal(pread(fd, seen, 20, (off_t)at[i]), 20);
        assert_memory_equal(seen, "3456789a\0\0\0\0\0\0\0\0\0\0\0\0", 20);
        assert_true(sluice_map_store(&map, at[i], data, 20));
        assert_int_equal(pread(fd, seen, 20, (off_t)at[i]), 20);
        assert_memory_equal(seen, data, 20);
        assert_int_equal(ftruncate(fd, 0), 0);
        sluice_map_close(&map);
        assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
        sluice_map_open(&map, fd, 0, 2 * PAGE);
    }
    sluice_map_close(&map);
    close(fd);
}

static void a_page_that_is_refused_is_no_end_of_the_process(void **state)
{
    (void)state;
    struct sluice_map map, other;
    uint8_t seen[20];
    int fd = open_map(&map, 2 * PAGE), second = open_map(&other, PAGE);
    assert_true(sluice_map_store(&map, PAGE, data, 20));
    for (unsigned round = 0; round < 3; round++) { /* again and again: nothing stays blocked */
        assert_int_equal(ftruncate(fd, PAGE), 0);
        assert_true(sluice_map_store(&map, 0, data, 20));
        assert_false(sluice_map_store(&map, PAGE, data, 20));
        assert_null(map.memory);
        assert_false(sluice_map_holds(&map, 0, 1));
        assert_true(sluice_map_store(&other, 7, data, 20));
        assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
        sluice_map_open(&map, fd, 0, 2 * PAGE);
    }
    assert_false(ftruncate(fd, PAGE) != 0);
    assert_false(sluice_map_store(&map, PAGE - 18, data, 20)); /* the second page */
    assert_int_equal(pread(second, seen, 20, 7), 20);
    assert_memory_equal(seen, data, 20);
    sluice_map_close(&other);
    close(fd);
    close(second);
}

/* In a child: how it ends. */
static int end_of(void (*work)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGBUS, SIG_DFL); /* of sanitizers */
        struct sluice_map map;
        int fd = make_file(PAGE);
        sluice_map_open(&map, fd, 0, PAGE);
        if (map.memory == NULL || !sluice_map_store(&map, 0, data, 20))
            _exit(77);
        work();
        _exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

static void fault_elsewhere(void)
{
    int fd = make_file(0);
    volatile uint8_t *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memory[5] = 1;
}

static void be_sent_one(void)
{
    raise(SIGBUS);
}

/* What started the process ignored SIGBUS: one that is sent changes nothing, a page that is refused
 * is still no end. */
static void a_signal_that_was_ignored_stays_so(void **state)
{
    (void)state;
    int status;
    struct sluice_map map;
    close(open_map(&map, PAGE)); /* or it is skipped */
    sluice_map_close(&map);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGBUS, SIG_IGN);
        int fd = make_file(PAGE);
        sluice_map_open(&map, fd, 0, PAGE);
        raise(SIGBUS);
        _exit(ftruncate(fd, 0) == 0 && !sluice_map_store(&map, 0, data, 20) ? 0 : 1);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void faults_that_are_not_of_a_map_end_the_process_as_without_one(void **state)
{
    (void)state;
    struct sluice_map map;
    close(open_map(&map, PAGE));
    sluice_map_close(&map);
    void (*const ends[])(void) = {fault_elsewhere, be_sent_one};
    for (size_t i = 0; i < 2; i++) {
        const int status = end_of(ends[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGBUS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* Before any map is there: the children bring the handler themselves. */
        cmocka_unit_test(faults_that_are_not_of_a_map_end_the_process_as_without_one),
        cmocka_unit_test(a_signal_that_was_ignored_stays_so),
        cmocka_unit_test(a_map_holds_a_part_of_the_file),
        cmocka_unit_test(a_network_or_unknown_file_system_is_not_mapped),
        cmocka_unit_test(what_is_stored_is_what_others_read),
        cmocka_unit_test(a_page_that_is_refused_is_no_end_of_the_process),
    };
    return cmocka_run_group_tests_name("driver: a mapped file", tests, NULL, NULL);
}
