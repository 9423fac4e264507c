/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of checks, as lines and as JSON. */
#include "cli/checks.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/json.h"

static const char *const state_names[] = {"ok", "warning", "failed"};

void sluice_check_say(struct sluice_checks *checks, enum sluice_check_state state, const char *name,
                      const char *format, ...)
{
    va_list arguments;
    if (checks->count == SLUICE_CHECKS_MAX)
        return;
    struct sluice_check *check = &checks->items[checks->count++];
    check->state = state;
    snprintf(check->name, sizeof check->name, "%s", name);
    va_start(arguments, format);
    vsnprintf(check->text, sizeof check->text, format, arguments);
    va_end(arguments);
    checks->warnings += state == SLUICE_CHECK_WARNING;
    checks->failures += state == SLUICE_CHECK_FAILED;
}

static bool print_lines(const struct sluice_checks *checks)
{
    for (size_t i = 0; i < checks->count; i++) {
        const struct sluice_check *check = &checks->items[i];
        printf("%-8s %s: %s\n", state_names[check->state], check->name, check->text);
    }
    printf("%zu checks, %zu failed, %zu warning%s\n", checks->count, checks->failures,
           checks->warnings, checks->warnings == 1 ? "" : "s");
    return fflush(stdout) == 0;
}

static bool print_json(const struct sluice_checks *checks)
{
    struct sluice_json json = {0};
    sluice_json_object_begin(&json);
    sluice_json_put_text(&json, "state",
                         state_names[checks->failures > 0   ? SLUICE_CHECK_FAILED
                                     : checks->warnings > 0 ? SLUICE_CHECK_WARNING
                                                            : SLUICE_CHECK_OK]);
    sluice_json_key(&json, "checks");
    sluice_json_array_begin(&json);
    for (size_t i = 0; i < checks->count; i++) {
        sluice_json_object_begin(&json);
        sluice_json_put_text(&json, "name", checks->items[i].name);
        sluice_json_put_text(&json, "state", state_names[checks->items[i].state]);
        sluice_json_put_text(&json, "text", checks->items[i].text);
        sluice_json_object_end(&json);
    }
    sluice_json_array_end(&json);
    sluice_json_object_end(&json);
    const bool good = !json.failed && printf("%s\n", json.text) > 0 && fflush(stdout) == 0;
    sluice_json_close(&json);
    return good;
}

bool sluice_checks_print(const struct sluice_checks *checks, bool as_json)
{
    return as_json ? print_json(checks) : print_lines(checks);
}
