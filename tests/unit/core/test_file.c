/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories, groups and whole writes. pwrite is wrapped, so that it can give bad answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

static int interrupted, short_writes, nothing; /* so many pwrite calls are, or write nothing */

ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t position)
{
    if (interrupted > 0 && interrupted-- > 0) {
        errno = EINTR;
        return -1;
    }
    if (nothing > 0 && nothing-- > 0)
        return 0;
    if (short_writes > 0 && short_writes-- > 0)
        bytes = (bytes + 1) / 2;
    return __real_pwrite(fd, data, bytes, position);
}

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/sluice-file-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void interrupted_and_short_writes_become_whole_ones(void **state)
{
    (void)state;
    char path[] = "/tmp/sluice-file-XXXXXX", found[1000], data[1000];
    int fd = mkstemp(path);
    assert_true(fd >= 0 && unlink(path) == 0);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    interrupted = 2;
    short_writes = 5;
    assert_int_equal(sluice_write_fully(fd, data, sizeof(data), 12345), 0);
    assert_int_equal(interrupted + short_writes, 0);
    assert_int_equal(pread(fd, found, sizeof(found), 12345), sizeof(found));
    assert_memory_equal(found, data, sizeof(data));
    nothing = 1; /* it would go on for ever */
    assert_int_equal(sluice_write_fully(fd, data, sizeof(data), 0), ENOSPC);
    close(fd);
    assert_int_equal(sluice_write_fully(fd, data, 1, 0), EBADF);
}

static void directories_are_made_with_those_above_them(void **state)
{
    (void)state;
    char one[100], two[120], file[160];
    struct stat there;
    const gid_t group = getgid();
    struct sluice_error error = {0};
    snprintf(one, sizeof(one), "%s/one", folder);
    snprintf(two, sizeof(two), "%s//two", one);
    const mode_t mask = umask(077);
    assert_int_equal(sluice_make_directories(two, 0751, &group, &error), SLUICE_OK);
    umask(mask);
    assert_true(stat(one, &there) == 0 && (there.st_mode & 07777) == 0751);
    assert_true(stat(two, &there) == 0 && (there.st_mode & 07777) == 0751);
    assert_int_equal(there.st_gid, group);
    assert_int_equal(sluice_make_directories(two, 0700, NULL, &error), SLUICE_OK);
    assert_true(stat(two, &there) == 0 && (there.st_mode & 07777) == 0751); /* it was there */
    snprintf(file, sizeof(file), "%s/file", two);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(sluice_make_directories(file, 0700, NULL, &error), SLUICE_IO);
    assert_non_null(strstr(error.message, file));
    assert_non_null(strstr(error.message, strerror(ENOTDIR)));
    sluice_error_clear(&error);
    char *deep = malloc(5001);
    memset(deep, 'a', 5000);
    deep[5000] = '\0';
    assert_int_equal(sluice_make_directories(deep, 0700, NULL, &error), SLUICE_LIMIT);
    free(deep);
    assert_true(unlink(file) == 0 && rmdir(two) == 0 && rmdir(one) == 0);
}

static void groups_are_found_by_name_and_by_number(void **state)
{
    (void)state;
    gid_t group = 77;
    const struct group *root = getgrgid(0);
    if (root != NULL) {
        assert_true(sluice_find_group(root->gr_name, &group));
        assert_int_equal(group, 0);
    }
    assert_true(sluice_find_group("4711", &group));
    assert_int_equal(group, 4711);
    assert_false(sluice_find_group("no such group", &group));
    assert_false(sluice_find_group("4711x", &group));
    assert_false(sluice_find_group("", &group));
    assert_false(sluice_find_group("-1", &group));
    assert_false(sluice_find_group("4294967295", &group)); /* means: as it is */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interrupted_and_short_writes_become_whole_ones),
        cmocka_unit_test_setup_teardown(directories_are_made_with_those_above_them, make_folder,
                                        remove_folder),
        cmocka_unit_test(groups_are_found_by_name_and_by_number),
    };
    return cmocka_run_group_tests_name("core: file", tests, NULL, NULL);
}
