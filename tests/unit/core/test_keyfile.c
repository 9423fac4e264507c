/* SPDX-License-Identifier: Apache-2.0
 *
 * Key files: what is written is read back, nobody's file is replaced, and a file that is none, or
 * that everybody may read, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/keyfile.h"

#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

static char directory[64], base[128], path[160];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/sluice-keys-XXXXXX");
    snprintf(base, sizeof base, "%s/k", mkdtemp(directory));
    return 0;
}

static int remove_directory(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

static const char *with(const char *suffix)
{
    snprintf(path, sizeof path, "%s%s", base, suffix);
    return path;
}

static void a_pair_that_was_written_is_read_back(void **state)
{
    const struct sluice_key_pair pair = {PUBLIC, SECRET};
    struct sluice_key_pair read;
    struct sluice_error error = {0};
    struct stat file;
    (void)state;
    assert_int_equal(sluice_key_file_write(base, &pair, &error), SLUICE_OK);
    assert_int_equal(sluice_key_file_read(with(".key_secret"), true, &read, &error), SLUICE_OK);
    assert_string_equal(read.public_key, PUBLIC);
    assert_string_equal(read.secret_key, SECRET);
    assert_int_equal(stat(with(".key_secret"), &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(sluice_key_file_read(with(".key"), false, &read, &error), SLUICE_OK);
    assert_string_equal(read.public_key, PUBLIC);
    assert_string_equal(read.secret_key, "");
    assert_int_equal(sluice_key_file_read(with(".key"), true, &read, &error), SLUICE_CONFIG);
}

static void existing_files_are_left_alone(void **state)
{
    const struct sluice_key_pair other = {SECRET, PUBLIC};
    struct sluice_key_pair read;
    struct sluice_error error = {0};
    (void)state;
    assert_int_equal(sluice_key_file_write(base, &other, &error), SLUICE_EXISTS);
    assert_int_equal(unlink(with(".key_secret")), 0);
    assert_int_equal(sluice_key_file_write(base, &other, NULL), SLUICE_EXISTS);
    assert_int_equal(access(with(".key_secret"), F_OK), -1);
    assert_int_equal(sluice_key_file_read(with(".key"), false, &read, &error), SLUICE_OK);
    assert_string_equal(read.public_key, PUBLIC);
}

static void refuse(const char *text, mode_t mode)
{
    struct sluice_key_pair read;
    struct sluice_error error = {0};
    FILE *file = fopen(with("-bad"), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    assert_int_equal(sluice_key_file_read(path, false, &read, &error), SLUICE_CONFIG);
    assert_non_null(strstr(error.message, path));
}

static void what_is_no_key_file_is_refused(void **state)
{
    (void)state;
    refuse("", 0600);
    refuse("curve\n", 0600);
    refuse("public-key = \"short\"\n", 0600);
    refuse("public-key = \"" PUBLIC "x\"\n", 0600);
    refuse("public-key = " PUBLIC "\n", 0600);
    refuse("public-key\n", 0600);
    refuse("public-key = \"" PUBLIC "\"\nsecret-key = \"short\"\n", 0600);
    refuse("public-key = \"" PUBLIC "\"\nsecret-key = \"" SECRET "\"\n", 0644);
    assert_int_equal(unlink(path), 0);
    struct sluice_key_pair read;
    assert_int_equal(sluice_key_file_read(path, false, &read, NULL), SLUICE_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_that_was_written_is_read_back),
        cmocka_unit_test(existing_files_are_left_alone),
        cmocka_unit_test(what_is_no_key_file_is_refused),
    };
    return cmocka_run_group_tests_name("key files", tests, make_directory, remove_directory);
}
