/* SPDX-License-Identifier: Apache-2.0
 *
 * Values that are computed rather than copied. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "writer/master/parts.h"

/* What follows the form (d: a digit, else itself) at the beginning of the text; NULL: it is not
 * there. */
static const char *behind(const char *text, const char *form)
{
    for (; *form != '\0'; form++, text++) {
        if (*form == 'd' ? !isdigit((unsigned char)*text) : *text != *form)
            return NULL;
    }
    return text;
}

/* Date and time with an optional fraction and time zone, as NeXus wants them. */
static bool is_iso8601(const char *text)
{
    const char *rest = behind(text, "dddd-dd-ddTdd:dd:dd");
    const char *fraction = rest != NULL ? behind(rest, ".d") : NULL;
    if (rest == NULL)
        return false;
    if (fraction != NULL)
        rest = fraction + strspn(fraction, "0123456789");
    if (*rest == '\0' || strcmp(rest, "Z") == 0)
        return true;
    if (*rest != '+' && *rest != '-')
        return false;
    const char *colon = behind(rest + 1, "dd:dd"), *plain = behind(rest + 1, "dddd");
    return (colon != NULL && *colon == '\0') || (plain != NULL && *plain == '\0');
}

/* The ISO 8601 text `seconds` later, in the time zone (or lack of one) that it is written in; empty
 * where it is not such a text or the result is out of range. */
static void later(const char *iso8601, double seconds, char *text, size_t bytes)
{
    struct tm parts = {.tm_isdst = 0};
    double fraction = 0;
    int used = 0;
    text[0] = '\0';
    if (sscanf(iso8601, "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
               &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used) != 6)
        return;
    const char *rest = iso8601 + used;
    if (*rest == '.') {
        rest++;
        double digit = 1;
        for (; *rest >= '0' && *rest <= '9'; rest++)
            fraction += (digit /= 10) * (*rest - '0');
    }
    if (!(seconds >= 0 && seconds < 1e10))
        return;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    int64_t us = llround((fraction + seconds) * 1e6);
    time_t whole = timegm(&parts) + (time_t)(us / 1000000);
    char date[40];
    if (gmtime_r(&whole, &parts) != NULL &&
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) > 0)
        snprintf(text, bytes, "%s.%06d%s", date, (int)(us % 1000000), rest);
}

static void times(const struct sluice_master_input *input, struct sluice_master_facts *facts)
{
    const struct sluice_series *series = input->series;
    facts->series_date = is_iso8601(series->series_date) ? series->series_date : "";
    if (facts->series_date[0] != '\0')
        snprintf(facts->start_time, sizeof facts->start_time, "%s", series->series_date);
    else if (is_iso8601(series->arm_date))
        snprintf(facts->start_time, sizeof facts->start_time, "%s", series->arm_date);
    else
        sluice_time_iso8601(input->open_real_ns, facts->start_time, sizeof facts->start_time);
    if (series->number_of_images > 0 && !isnan(series->frame_time))
        later(facts->start_time, (double)series->number_of_images * series->frame_time,
              facts->end_time_estimated, sizeof facts->end_time_estimated);
    if (input->state == SLUICE_MASTER_DONE)
        sluice_time_iso8601(input->end_real_ns, facts->end_time, sizeof facts->end_time);
}

static uint64_t all_rows(const struct sluice_master_input *input)
{
    uint64_t end = 0;
    for (size_t i = 0; i < input->file_count; i++) {
        const struct sluice_master_file *file = &input->files[i];
        uint64_t start = sluice_master_file_start(file, end);
        uint64_t announced = input->series->number_of_images;
        uint64_t rows = file->rows;
        if (file->growing) {
            uint64_t left = announced > start ? announced - start : 0;
            rows = left < rows ? left : rows;
        }
        end = rows > 0 ? start + rows : end;
    }
    return end;
}

void sluice_master_facts(const struct sluice_master_input *input, struct sluice_master_facts *facts)
{
    const struct sluice_series *series = input->series;
    memset(facts, 0, sizeof *facts);
    facts->rows = all_rows(input);
    times(input, facts);
    facts->sample_name =
        series->sample_name[0] != '\0' ? series->sample_name : input->metadata->sample_name;
    facts->source_name = input->metadata->source_name;
    facts->source_short_name = input->metadata->source_short_name;
    if (series->source_name[0] != '\0') {
        facts->source_name = series->source_name;
        facts->source_short_name = ""; /* the configured one is of another */
    }
    facts->distance = fabs(series->detector_translation[2]);
    facts->readout_time = isnan(series->detector_readout_time)
                              ? series->frame_time - series->count_time
                              : series->detector_readout_time;
    facts->bit_depth_image = 8 * (int32_t)sluice_dtype_bytes(input->dtype);
    /* dxtbx takes pixels of 32 bits for ones of 32 bits only when this says so too. */
    facts->bit_depth_readout = series->bit_depth_readout == 0 || input->dtype == SLUICE_U32
                                   ? facts->bit_depth_image
                                   : (int32_t)series->bit_depth_readout;
    facts->image_count = facts->rows < INT32_MAX ? (int32_t)facts->rows : INT32_MAX;
    facts->trigger_count = 1;
    facts->width = (int32_t)series->width;
    facts->height = (int32_t)series->height;
}
