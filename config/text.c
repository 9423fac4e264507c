/* SPDX-License-Identifier: Apache-2.0
 *
 * ASCII only where names are concerned: isalnum would follow the locale. */
#include "config/text.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The character at *text, which moves on; UINT32_MAX when it is not UTF-8. */
static uint32_t next_character(const unsigned char **text)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *c = *text;
    unsigned more = *c < 0x80 ? 0 : *c >> 5 == 6 ? 1 : *c >> 4 == 14 ? 2 : *c >> 3 == 30 ? 3 : 4;
    if (more == 4)
        return UINT32_MAX;
    uint32_t value = more == 0 ? *c : *c & (0x3fU >> more);
    for (unsigned i = 1; i <= more; i++) {
        if (c[i] >> 6 != 2) /* also the closing NUL */
            return UINT32_MAX;
        value = value << 6 | (c[i] & 0x3fU);
    }
    *text += more + 1;
    return value < smallest[more] ? UINT32_MAX : value;
}

bool sluice_text_is_printable(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c) {
        uint32_t value = next_character(&c);
        if (value < 0x20 || (value >= 0x7f && value < 0xa0) || value == 0x2028 || value == 0x2029 ||
            (value >= 0xd800 && value < 0xe000) || value == 0xfeff || value == 0xfffe ||
            value == 0xffff || value > 0x10ffff)
            return false;
    }
    return true;
}

bool sluice_text_is_name(const char *text)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return *text != '\0' && *text != '.' && text[strspn(text, safe)] == '\0';
}

bool sluice_text_is_endpoint(const char *text)
{
    static const char *const transports[] = {"tcp://", "ipc://", "inproc://"};
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
        size_t bytes = strlen(transports[i]);
        if (strncmp(text, transports[i], bytes) == 0) {
            const char *address = text + bytes;
            const char *colon = strrchr(address, ':');
            return *address != '\0' && (i != 0 || (colon && colon != address && colon[1] != '\0'));
        }
    }
    return false;
}
