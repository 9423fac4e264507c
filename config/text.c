/* SPDX-License-Identifier: Apache-2.0
 *
 * ASCII only where names are concerned: isalnum would follow the locale. */
#include "config/text.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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

/* "*", or a number that a TCP port can be; 0 is any, like "*". */
static bool is_port(const char *text)
{
    char *end;
    if (strcmp(text, "*") == 0)
        return true;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long port = strtoul(text, &end, 10);
    return *end == '\0' && port <= 65535;
}

bool sluice_text_is_endpoint(const char *text)
{
    if (strncmp(text, "ipc://", 6) == 0)
        return text[6] != '\0';
    if (strncmp(text, "tcp://", 6) != 0)
        return false;
    const char *colon = strrchr(text + 6, ':');
    return colon != NULL && colon != text + 6 && is_port(colon + 1);
}
