/* SPDX-License-Identifier: Apache-2.0
 *
 * Regions are there, zero, aligned, faulted in; what cannot be had falls back or says what to
 * raise. Limits are lowered in children, so that the tests do not meet each other's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/memory.h"

#define MIB ((size_t)1 << 20)

static struct sluice_error error;

/* A sanitizer's own memory would fault. */
__attribute__((no_sanitize("address", "thread"))) static void write_all(unsigned char *data,
                                                                        size_t bytes)
{
    for (size_t at = 0; at < bytes; at += SLUICE_SMALL_PAGE_BYTES)
        data[at] = 1;
}

static bool is_zero(const unsigned char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != 0)
            return false;
    return true;
}

static void a_region_is_zero_aligned_and_faulted_in(void **state)
{
    static const size_t sizes[] = {1, 4096, 5000, 2 * MIB, 9 * MIB + 1};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct sluice_region region;
        assert_int_equal(sluice_region_map(&region, sizes[i], &error), SLUICE_OK);
        assert_int_equal(region.bytes, sizes[i]);
        assert_true(region.mapped_bytes >= sizes[i]);
        assert_int_equal((uintptr_t)region.data % (sizes[i] >= 2 * MIB ? 2 * MIB : 4096), 0);
        const struct sluice_page_faults before = sluice_page_faults();
        write_all(region.data, region.mapped_bytes);
        /* not one of its (up to 2305) pages; a few may be others', such as the stack's */
        assert_true(sluice_page_faults().minor - before.minor <= 8);
        memset(region.data, 0, 1);
        sluice_region_unmap(&region);
        assert_null(region.data);
        sluice_region_unmap(&region);
    }
}

static void new_regions_are_zero(void **state)
{
    struct sluice_region region;
    (void)state;
    assert_int_equal(sluice_region_map(&region, 3 * MIB, &error), SLUICE_OK);
    assert_true(is_zero(region.data, region.bytes));
    sluice_region_unmap(&region);
    assert_int_equal(sluice_region_map(&region, 0, &error), SLUICE_OK);
    assert_null(region.data);
}

static void memory_that_is_in_use_is_prepared_and_keeps_its_content(void **state)
{
    const size_t bytes = 7 * MIB + 123;
    (void)state;
    unsigned char *data = malloc(bytes);
    assert_non_null(data);
    memset(data, 0xa5, 100000);
    data[bytes - 1] = 7;
    assert_int_equal(sluice_memory_prepare(data + 1, bytes - 1), SLUICE_OK);
    const struct sluice_page_faults before = sluice_page_faults();
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(data[i], 0xa5);
    assert_int_equal(data[bytes - 1], 7);
    write_all(data, bytes);
    assert_true(sluice_page_faults().minor - before.minor <= 8);
    free(data);
    assert_int_equal(sluice_memory_prepare(NULL, 0), SLUICE_OK);
}

/* Page faults are counted at all: else the tests above could not fail. */
static void fresh_memory_is_seen_to_fault(void **state)
{
    unsigned char *data =
        mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(data != MAP_FAILED);
    madvise(data, MIB, MADV_NOHUGEPAGE);
    const struct sluice_page_faults before = sluice_page_faults();
    write_all(data, MIB);
    assert_true(sluice_page_faults().minor - before.minor >= MIB / SLUICE_SMALL_PAGE_BYTES);
    munmap(data, MIB);
}

static void huge_pages_are_had_where_the_system_allows_and_not_when_off(void **state)
{
    struct sluice_memory_settings settings = {.huge_pages = SLUICE_HUGE_OFF, .numa_node = -1};
    struct sluice_region small, huge;
    char word[32];
    (void)state;
    const uint64_t before = sluice_memory_use().huge_bytes;
    assert_true(sluice_memory_use().resident_bytes > 0);
    assert_int_equal(sluice_memory_configure(&settings, &error), SLUICE_OK);
    assert_int_equal(sluice_region_map(&small, 16 * MIB, &error), SLUICE_OK);
    assert_int_equal(sluice_memory_use().huge_bytes, before);
    settings.huge_pages = SLUICE_HUGE_AUTO;
    assert_int_equal(sluice_memory_configure(&settings, &error), SLUICE_OK);
    assert_int_equal(sluice_region_map(&huge, 16 * MIB, &error), SLUICE_OK);
    sluice_memory_transparent(word, sizeof word);
    if (strcmp(word, "always") != 0 && strcmp(word, "madvise") != 0)
        assert_int_equal(sluice_memory_use().huge_bytes, before);
    sluice_region_unmap(&small);
    sluice_region_unmap(&huge);
}

static void without_reserved_huge_pages_others_are_used(void **state)
{
    struct sluice_memory_settings settings = {.huge_pages = SLUICE_HUGE_RESERVED, .numa_node = -1};
    struct sluice_region region;
    (void)state;
    assert_int_equal(sluice_memory_configure(&settings, &error), SLUICE_OK);
    assert_int_equal(sluice_region_map(&region, 4 * MIB, &error), SLUICE_OK);
    write_all(region.data, region.bytes);
    sluice_region_unmap(&region);
    settings.huge_pages = SLUICE_HUGE_AUTO;
    assert_int_equal(sluice_memory_configure(&settings, &error), SLUICE_OK);
}

static void what_the_system_has_not_is_an_error_with_the_size(void **state)
{
    struct sluice_region region;
    (void)state;
    sluice_error_clear(&error);
    assert_int_equal(sluice_region_map(&region, SIZE_MAX / 2, &error), SLUICE_NO_MEMORY);
    assert_null(region.data);
    assert_non_null(strstr(error.message, "bytes"));
    sluice_error_clear(&error);
    assert_int_equal(sluice_region_map(&region, SIZE_MAX, &error), SLUICE_NO_MEMORY);
}

static void a_node_that_does_not_exist_is_a_configuration_error(void **state)
{
    struct sluice_memory_settings settings = {.numa_node = 100000};
    (void)state;
    sluice_error_clear(&error);
    assert_int_equal(sluice_memory_configure(&settings, &error), SLUICE_CONFIG);
    assert_non_null(strstr(error.message, "memory.numa_node"));
    settings.numa_node = 1022; /* refused, or taken where there are no policies: so is the last */
    const enum sluice_status status = sluice_memory_configure(&settings, &error);
    settings.numa_node = 1023;
    assert_int_equal(sluice_memory_configure(&settings, &error), status);
    settings.numa_node = -1;
    assert_int_equal(sluice_memory_configure(&settings, &error), SLUICE_OK);
}

/* In a child, as a user who may not lock. */
static int lock_without_leave(void)
{
    const struct rlimit limit = {65536, 65536};
    const struct sluice_memory_settings settings = {.lock = true, .numa_node = -1};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return 2;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 2;
    sluice_error_clear(&error);
    if (sluice_memory_configure(&settings, &error) != SLUICE_CONFIG)
        return 1;
    return strstr(error.message, "LimitMEMLOCK") != NULL ? 0 : 3;
}

static void a_lock_that_is_not_allowed_says_what_to_raise(void **state)
{
    int status = -1;
    (void)state;
    const pid_t child = fork();
    if (child == 0)
        _exit(lock_without_leave());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region_is_zero_aligned_and_faulted_in),
        cmocka_unit_test(new_regions_are_zero),
        cmocka_unit_test(memory_that_is_in_use_is_prepared_and_keeps_its_content),
        cmocka_unit_test(fresh_memory_is_seen_to_fault),
        cmocka_unit_test(huge_pages_are_had_where_the_system_allows_and_not_when_off),
        cmocka_unit_test(without_reserved_huge_pages_others_are_used),
        cmocka_unit_test(what_the_system_has_not_is_an_error_with_the_size),
        cmocka_unit_test(a_node_that_does_not_exist_is_a_configuration_error),
        cmocka_unit_test(a_lock_that_is_not_allowed_says_what_to_raise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
