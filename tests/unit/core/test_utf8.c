/* SPDX-License-Identifier: Apache-2.0
 *
 * What is UTF-8 and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/utf8.h"

static void valid_text_decodes_to_its_code_points(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t code;
    } cases[] = {
        {"A", 'A'}, {"\xc2\xb5", 0xb5}, {"\xe2\x82\xac", 0x20ac}, {"\xf0\x9f\x92\x99", 0x1f499}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t code = 0;
        const size_t bytes = strlen(cases[i].text);
        assert_int_equal(sluice_utf8_decode((const unsigned char *)cases[i].text, bytes, &code),
                         bytes);
        assert_int_equal(code, cases[i].code);
        for (size_t cut = 1; cut < bytes; cut++) {
            assert_int_equal(sluice_utf8_decode((const unsigned char *)cases[i].text, cut, &code),
                             0);
        }
    }
}

static void overlong_surrogates_and_strays_are_no_text(void **state)
{
    (void)state;
    static const char *const cases[] = {"\x80",         "\xc0\x80",         "\xe0\x80\x80",
                                        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t code;
        assert_int_equal(
            sluice_utf8_decode((const unsigned char *)cases[i], strlen(cases[i]), &code), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_text_decodes_to_its_code_points),
        cmocka_unit_test(overlong_surrogates_and_strays_are_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
