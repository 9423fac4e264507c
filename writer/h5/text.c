/* SPDX-License-Identifier: Apache-2.0
 *
 * Text in the one form that the field's programs read: ASCII. Code points beyond it become \uXXXX
 * (two of them above U+FFFF) as in JSON; a byte that is no UTF-8 becomes \ufffd. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "writer/h5/h5.h"

#define NO_CHARACTER 0xfffdu

char *sluice_h5_ascii(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strlen(text);
    char *ascii = malloc(6 * left + 1); /* at most \uXXXX for each byte */
    char *end = ascii;
    if (ascii == NULL)
        return NULL;
    while (left > 0) {
        uint32_t code = NO_CHARACTER;
        size_t taken = sluice_utf8_decode(at, left, &code);
        if (taken == 0) {
            code = NO_CHARACTER;
            taken = 1;
        }
        if (code < 0x80)
            *end++ = (char)code;
        else if (code < 0x10000)
            end += sprintf(end, "\\u%04x", code);
        else
            end += sprintf(end, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                           0xdc00 + ((code - 0x10000) & 0x3ff));
        at += taken;
        left -= taken;
    }
    *end = '\0';
    return ascii;
}
