/* SPDX-License-Identifier: Apache-2.0
 *
 * What came back: status line, headers, body. The body's length is held against Content-Length, so
 * that half an answer is not taken for a whole one. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ingest/remote/remote.h"

/* The value of Content-Length, or SIZE_MAX: the header ends at `end`. */
static size_t content_length(const char *line, const char *end)
{
    static const char name[] = "\r\ncontent-length:";
    for (; line + sizeof(name) - 1 < end; line++)
        if (strncasecmp(line, name, sizeof(name) - 1) == 0)
            return strtoull(line + sizeof(name) - 1, NULL, 10);
    return SIZE_MAX;
}

enum sluice_status sluice_remote_parse(const char *data, size_t bytes,
                                       struct sluice_remote_answer *answer,
                                       struct sluice_error *error)
{
    const char *end = data != NULL ? memmem(data, bytes, "\r\n\r\n", 4) : NULL;
    memset(answer, 0, sizeof(*answer));
    if (end == NULL || bytes < 12 || memcmp(data, "HTTP/1.", 7) != 0 || data[8] != ' ' ||
        strspn(data + 9, "0123456789") < 3)
        return sluice_error_set(error, SLUICE_MALFORMED, "that is no answer of HTTP");
    const char *body = end + 4;
    answer->code = (data[9] - '0') * 100 + (data[10] - '0') * 10 + (data[11] - '0');
    answer->bytes = bytes - (size_t)(body - data);
    const size_t length = content_length(data, end + 2);
    if (length != SIZE_MAX && length != answer->bytes)
        return sluice_error_set(error, SLUICE_TRUNCATED, "the answer ended after %zu of %zu bytes",
                                answer->bytes, length);
    answer->body = malloc(answer->bytes + 1);
    if (answer->body == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for an answer");
    memcpy(answer->body, body, answer->bytes);
    answer->body[answer->bytes] = '\0';
    json_t *json = json_loadb(answer->body, answer->bytes, 0, NULL);
    if (json_is_object(json))
        answer->json = json;
    else
        json_decref(json);
    return SLUICE_OK;
}

void sluice_remote_answer_close(struct sluice_remote_answer *answer)
{
    json_decref(answer->json);
    free(answer->body);
    memset(answer, 0, sizeof(*answer));
}

static const json_t *find(const struct sluice_remote_answer *answer, const char *path)
{
    const json_t *at = answer->json;
    while (at != NULL) {
        const size_t length = strcspn(path, ".");
        at = json_object_getn(at, path, length);
        if (path[length] == '\0')
            break;
        path += length + 1;
    }
    return at;
}

const char *sluice_remote_text(const struct sluice_remote_answer *answer, const char *path)
{
    return json_string_value(find(answer, path));
}

bool sluice_remote_bool(const struct sluice_remote_answer *answer, const char *path)
{
    const json_t *value = find(answer, path);
    return json_is_true(value);
}

uint64_t sluice_remote_uint(const struct sluice_remote_answer *answer, const char *path)
{
    const json_int_t value = json_integer_value(find(answer, path));
    return value > 0 ? (uint64_t)value : 0;
}

bool sluice_remote_has(const struct sluice_remote_answer *answer, const char *path)
{
    const json_t *value = find(answer, path);
    return value != NULL && !json_is_null(value);
}
