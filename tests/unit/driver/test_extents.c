/* SPDX-License-Identifier: Apache-2.0
 *
 * Where things lie in a file: payloads and the rest never share a page, blocks that follow each
 * other are one, and nothing that was reserved in vain stays. fallocate is wrapped, so that it can
 * do what ext4 does when little is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "writer/driver/extents.h"

#define PAGE 4096u

static off_t left = -1; /* bytes on the disk; -1: enough */

int __real_fallocate(int fd, int mode, off_t position, off_t bytes);
int __wrap_fallocate(int fd, int mode, off_t position, off_t bytes);
/* ext4 keeps what it found, although it was not enough. */
int __wrap_fallocate(int fd, int mode, off_t position, off_t bytes)
{
    if (mode != 0 || left < 0 || bytes <= left)
        return __real_fallocate(fd, mode, position, bytes);
    assert_int_equal(__real_fallocate(fd, mode, position, left), 0);
    errno = ENOSPC;
    return -1;
}

static struct sluice_extents fresh(void)
{
    char path[] = "/tmp/sluice-extents-XXXXXX";
    struct sluice_extents extents = {.fd = mkstemp(path)};
    assert_true(extents.fd >= 0);
    assert_int_equal(unlink(path), 0);
    return extents;
}

static struct stat look(const struct sluice_extents *extents)
{
    struct stat there;
    assert_int_equal(fstat(extents->fd, &there), 0);
    return there;
}

static void payloads_follow_each_other_and_share_no_page_with_the_rest(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    struct sluice_extents extents = fresh();
    uint8_t *kind = calloc(1 << 16, 1); /* of each page: 1 payload, 2 metadata, 3 cells */
    for (int i = 0; i < 2000; i++) {
        uint64_t bytes = 1 + (uint64_t)rand_r(&seed) % 30000;
        const int die = rand_r(&seed) % 8, what = die < 6 ? 1 : die - 4;
        if (rand_r(&seed) % 10 == 0)
            sluice_extents_align(&extents);
        uint64_t at = what == 1   ? sluice_extents_payload(&extents, bytes)
                      : what == 2 ? sluice_extents_meta(&extents, bytes)
                                  : sluice_extents_cells(&extents, bytes);
        assert_true(at != SLUICE_NOWHERE && at + bytes <= extents.end);
        for (uint64_t page = at / PAGE; page <= (at + bytes - 1) / PAGE; page++) {
            assert_true(page < 1 << 16);
            assert_true(kind[page] == 0 || kind[page] == what);
            kind[page] = (uint8_t)what;
        }
    }
    free(kind);
    close(extents.fd);
}

static void payload_blocks_that_touch_become_one(void **state)
{
    (void)state;
    struct sluice_extents extents = fresh();
    uint64_t next = sluice_extents_payload(&extents, 0);
    for (int i = 0; i < 40; i++) { /* 400 MB: seven blocks */
        assert_int_equal(sluice_extents_payload(&extents, 10000001), next);
        next += 10000001;
    }
    sluice_extents_align(&extents);
    assert_int_equal(sluice_extents_payload(&extents, 1) % PAGE, 0);
    close(extents.fd);
}

static void what_was_reserved_in_vain_is_given_back(void **state)
{
    (void)state;
    struct sluice_extents extents = fresh();
    sluice_extents_meta(&extents, 100);
    uint64_t at = sluice_extents_payload(&extents, 5000);
    assert_true(look(&extents).st_size >= (off_t)(at + 5000));
    assert_true((uint64_t)look(&extents).st_blocks * 512 >= 1 << 20);
    sluice_extents_trim(&extents);
    assert_int_equal(sluice_extents_fit_file(&extents, true), 0);
    assert_int_equal(look(&extents).st_size, (at + 5000 + PAGE - 1) / PAGE * PAGE);
    assert_int_equal(extents.end, look(&extents).st_size);
    assert_true((uint64_t)look(&extents).st_blocks * 512 < 1 << 20);
    close(extents.fd);
}

static void a_reserved_block_in_the_middle_becomes_a_hole(void **state)
{
    (void)state;
    struct sluice_extents extents = fresh();
    uint64_t payload = sluice_extents_payload(&extents, 5000);
    uint64_t meta = sluice_extents_meta(&extents, 100);
    assert_true(meta > payload);
    sluice_extents_trim(&extents);
    assert_true(extents.end > meta);
    assert_true((uint64_t)look(&extents).st_blocks * 512 < 1 << 20);
    close(extents.fd);
}

static void an_abandoned_file_keeps_its_length_and_frees_the_rest(void **state)
{
    (void)state;
    struct sluice_extents extents = fresh();
    sluice_extents_payload(&extents, 5000);
    off_t length = look(&extents).st_size;
    sluice_extents_abandon(&extents);
    assert_int_equal(look(&extents).st_size, length);
    assert_true((uint64_t)look(&extents).st_blocks * 512 < 1 << 20);
    close(extents.fd);
}

static void hdf5_may_move_the_end_but_not_take_back(void **state)
{
    (void)state;
    struct sluice_extents extents = fresh();
    sluice_extents_move_end(&extents, 48);
    assert_int_equal(extents.end, 48);
    uint64_t meta = sluice_extents_meta(&extents, 10);
    assert_true(meta >= 48);
    uint64_t end = extents.end;
    sluice_extents_move_end(&extents, 20);
    assert_int_equal(extents.end, end);
    sluice_extents_move_end(&extents, end + 100);
    assert_true(sluice_extents_payload(&extents, 10) >= end + 100);
    assert_int_equal(sluice_extents_fit_file(&extents, false), 0);
    assert_true(look(&extents).st_size >= (off_t)extents.end);
    close(extents.fd);
}

static void when_little_is_left_smaller_blocks_are_reserved(void **state)
{
    (void)state;
    struct rlimit before, limited;
    struct sluice_extents extents = fresh();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limited = before;
    limited.rlim_cur = 1000000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
    uint64_t count = 0;
    while (sluice_extents_payload(&extents, 10000) != SLUICE_NOWHERE)
        count++;
    assert_int_equal(errno, EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(count >= 95 && count <= 100); /* of 100: a little is lost to alignment */
    close(extents.fd);
}

static void a_reservation_that_failed_leaves_nothing_behind(void **state)
{
    (void)state;
    struct sluice_extents extents = fresh();
    while (extents.reserved < 32 << 20)
        assert_true(sluice_extents_payload(&extents, 1 << 20) != SLUICE_NOWHERE);
    while (extents.payload.end - extents.payload.next >= 1 << 20)
        sluice_extents_payload(&extents, 1 << 20);
    blkcnt_t before = look(&extents).st_blocks;
    left = 20 << 20;
    assert_true(sluice_extents_payload(&extents, 1 << 20) != SLUICE_NOWHERE);
    left = 500000;
    sluice_extents_meta(&extents, 100);
    assert_true(sluice_extents_payload(&extents, 1 << 20) == SLUICE_NOWHERE);
    assert_int_equal(errno, ENOSPC);
    left = -1;
    assert_true((look(&extents).st_blocks - before) * 512 <= (1 << 20) + 2 * PAGE);
    assert_int_equal(sluice_extents_fit_file(&extents, true), 0);
    assert_int_equal(look(&extents).st_size, extents.end);
    close(extents.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_follow_each_other_and_share_no_page_with_the_rest),
        cmocka_unit_test(payload_blocks_that_touch_become_one),
        cmocka_unit_test(what_was_reserved_in_vain_is_given_back),
        cmocka_unit_test(a_reserved_block_in_the_middle_becomes_a_hole),
        cmocka_unit_test(an_abandoned_file_keeps_its_length_and_frees_the_rest),
        cmocka_unit_test(hdf5_may_move_the_end_but_not_take_back),
        cmocka_unit_test(when_little_is_left_smaller_blocks_are_reserved),
        cmocka_unit_test(a_reservation_that_failed_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("driver: extents", tests, NULL, NULL);
}
